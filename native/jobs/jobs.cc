#include "jobs/jobs.h"

#include <algorithm>
#include <map>

#include "core/error.h"
#include "core/shape.h"
#include "device/open.h"
#include "reverse/device_values.h"

namespace at {
inline namespace AT_PRECISION {

namespace {

std::map<std::string, JobKind::Make>& kinds() {
  static std::map<std::string, JobKind::Make> table;
  return table;
}

// What a forward run holds while its numbers are read, in onnxruntime and as copies, is no job's to
// use: of as many samples as are run at once, which take at most a quarter where that is chosen
// here, and of the three of a probe, whose buffers onnxruntime keeps.
void set_aside(JobSettings& settings, int64_t fixed, int64_t tile) {
  const auto quarter = static_cast<int64_t>(std::min<size_t>(settings.memory / 4, INT64_MAX / 2));
  const auto outputs = static_cast<int64_t>(settings.outputs.size());
  const int64_t each = settings.forward;
  const bool given = settings.block > 0 || tile > 0;
  const int64_t whole = std::min(tile, std::max<int64_t>(1, 4096 / outputs));
  const int64_t fitting = std::max<int64_t>(1, (quarter - fixed) / std::max<int64_t>(1, each));
  const int64_t samples = settings.block > 0 ? settings.block
                          : tile > 0         ? whole
                                             : std::min(settings.samples, fitting);
  const int64_t run = fixed + each * samples;
  const int64_t spare = given ? quarter / 2 : std::max<int64_t>(0, quarter - run);
  const auto bytes = static_cast<size_t>(run);
  if (bytes >= settings.memory) {
    throw Error("MEMORY_BUDGET",
                "A forward run of " + std::to_string(samples) +
                    (samples == 1 ? " sample" : " samples") + " holds " + describe_bytes(bytes) +
                    " but the memory budget leaves " + describe_bytes(settings.memory) +
                    (samples > 1 ? "; take smaller tiles, or" : ";") +
                    " raise the budget by at least " + describe_bytes(bytes - settings.memory + 1));
  }
  settings.memory -= bytes + static_cast<size_t>(std::min(3 * each, spare));
}

JobSettings settings_of(const Options& options, const Extent& extent, Control control) {
  JobSettings settings;
  settings.extent = extent;
  settings.samples = options.integer("samples");
  settings.outputs = options.integers("outputs");
  settings.threads = static_cast<int>(options.integer("threads"));
  settings.memory = static_cast<size_t>(options.integer("memory"));
  settings.forward = options.integer_or("forward", 0);
  settings.block = options.integer_or("block", 0);
  settings.output_block = options.integer_or("outputBlock", 0);
  settings.control = control;
  if (options.has("device"))
    settings.stream = device::open_stream(options.text("device"), settings.memory);
  if (settings.stream && options.has("precision") && options.text("precision") == "tf32")
    settings.stream->set_precision(device::Precision::kTf32);
  if (settings.stream) {
    settings.values = std::make_shared<DeviceValues>(settings.stream);
    settings.pending = std::make_shared<device::Pending>(settings.stream);
  }
  if (settings.samples < 1 || settings.outputs.empty())
    throw Error("BAD_ARGUMENT", "A job needs at least one sample and one output");
  set_aside(settings, options.integer_or("forwardFixed", 0), options.integer_or("tile", 0));
  return settings;
}

}  // namespace

JobKind::JobKind(const char* name, Make make) { kinds()[name] = make; }

std::unique_ptr<Job> make_job(const std::string& kind, JobRequest request) {
  const auto found = kinds().find(kind);
  if (found == kinds().end()) throw Error("FAILED", "There is no job " + kind);
  return found->second(request);
}

std::vector<int64_t> parameter_sizes(const Tape& tape) {
  std::vector<int64_t> sizes;
  for (int id : tape.parameters) sizes.push_back(element_count(tape.values[id].static_shape));
  return sizes;
}

JobRequest::JobRequest(const Tape& network, const Extent& extent, const Options& given,
                       Control control)
    : tape(network),
      options(given),
      settings(settings_of(given, extent, control)),
      sizes(parameter_sizes(network)) {}

int64_t JobRequest::image_size(int64_t columns) const {
  return checked_mul(checked_mul(settings.samples, static_cast<int64_t>(settings.outputs.size())),
                     columns);
}

int64_t JobRequest::columns() const {
  const int64_t columns = options.integer_or("columns", 1);
  if (columns < 1) throw Error("BAD_ARGUMENT", "A product needs at least one vector");
  return columns;
}

Real* JobRequest::result(size_t index, int64_t count) const {
  const auto& all = options.results("results");
  if (index >= all.size() || all[index].size < count)
    throw Error("FAILED", "A result block is missing or too small");
  return all[index].data;
}

std::vector<Real*> JobRequest::parameter_results(int64_t times) const {
  std::vector<Real*> found;
  for (size_t p = 0; p < sizes.size(); ++p)
    found.push_back(result(p, checked_mul(times, sizes[p])));
  return found;
}

std::vector<const Real*> JobRequest::directions(const std::vector<Reals>& arrays, int64_t columns,
                                                size_t first) const {
  if (arrays.size() < first + sizes.size())
    throw Error("BAD_ARGUMENT", "One direction per parameter was expected");
  std::vector<const Real*> found;
  for (size_t p = 0; p < sizes.size(); ++p) {
    const Reals& array = arrays[first + p];
    if (array.data && array.size != checked_mul(columns, sizes[p]))
      throw Error("BAD_ARGUMENT", "A direction has another number of elements");
    found.push_back(array.data);
  }
  return found;
}

std::optional<Path> JobRequest::path(size_t results) const {
  if (!options.has("path")) return std::nullopt;
  const Options& given = options.record("path");
  Path path;
  path.weights = given.numbers("weights");
  path.change_weights = given.numbers("changeWeights");
  path.segments = given.ints("segments");
  const std::vector<Reals>& arrays = given.arrays("directions");
  for (size_t first = 0; first < arrays.size(); first += sizes.size())
    path.directions.push_back(directions(arrays, 1, first));
  const size_t nodes = path.weights.size();
  bool sound = nodes > 0 && path.change_weights.size() == nodes && path.segments.size() == nodes;
  for (int segment : path.segments)
    sound = sound && segment >= 0 && segment < static_cast<int>(path.directions.size());
  if (!sound) throw Error("BAD_ARGUMENT", "A path's nodes need a weight and a segment each");
  path.change = result(results, image_size(1));
  return path;
}

}  // namespace AT_PRECISION
}  // namespace at
