#include "binding/settings.h"

#include "binding/blocks.h"
#include "binding/convert.h"

namespace at {
inline namespace AT_PRECISION {

JobSettings to_settings(const Napi::Object& options, const EngineState& state,
                        JobObject::Holdings& holdings) {
  if (!state.laid_out) throw Error("FAILED", "layout() must come before any job");
  JobSettings settings;
  settings.extent = state.extent;
  settings.samples = to_int64(required(options, "samples"), "samples");
  settings.outputs = to_int64s(required(options, "outputs"), "outputs");
  settings.threads = static_cast<int>(to_int64(required(options, "threads"), "threads"));
  settings.memory = static_cast<size_t>(to_int64(required(options, "memory"), "memory"));
  settings.block = property_or(options, "block", 0);
  settings.output_block = property_or(options, "outputBlock", 0);
  const Napi::Value control = options.Get("control");
  if (!control.IsUndefined()) {
    auto cells = control.As<Napi::TypedArray>();
    if (!control.IsTypedArray() || cells.TypedArrayType() != napi_bigint64_array ||
        cells.ElementLength() < 3)
      throw Napi::TypeError::New(options.Env(), "Expected a BigInt64Array for control");
    settings.control =
        Control(reinterpret_cast<std::atomic<int64_t>*>(control.As<Napi::BigInt64Array>().Data()));
    holdings.pins.push_back(Napi::Persistent(control.As<Napi::Object>()));
  }
  if (settings.samples < 1 || settings.outputs.empty())
    throw Error("BAD_ARGUMENT", "A job needs at least one sample and one output");
  return settings;
}

Real* result_block(int64_t id, int64_t floats, JobObject::Holdings& holdings) {
  auto block = find_block(id);
  if (static_cast<int64_t>(block->bytes()) < checked_mul(floats, sizeof(Real)))
    throw Error("FAILED", "A result block is too small");
  holdings.results.push_back(block);
  return block->numbers<Real>();
}

std::vector<int64_t> parameter_sizes(const Tape& tape) {
  std::vector<int64_t> sizes;
  for (int id : tape.parameters) sizes.push_back(element_count(tape.values[id].static_shape));
  return sizes;
}

std::vector<Real*> parameter_results(const Napi::Object& options, const Tape& tape, int64_t times,
                                     JobObject::Holdings& holdings) {
  const std::vector<int64_t> ids = to_int64s(required(options, "results"), "results");
  const std::vector<int64_t> sizes = parameter_sizes(tape);
  if (ids.size() != sizes.size())
    throw Error("BAD_ARGUMENT", "One result per parameter was expected");
  std::vector<Real*> results;
  for (size_t p = 0; p < ids.size(); ++p)
    results.push_back(result_block(ids[p], checked_mul(times, sizes[p]), holdings));
  return results;
}

std::vector<const Real*> to_directions(const Napi::Array& arrays, const Tape& tape, int64_t columns,
                                       JobObject::Holdings& holdings) {
  const std::vector<int64_t> sizes = parameter_sizes(tape);
  if (arrays.Length() != sizes.size())
    throw Error("BAD_ARGUMENT", "One direction per parameter was expected");
  std::vector<const Real*> directions;
  for (uint32_t p = 0; p < arrays.Length(); ++p) {
    const Napi::Value array = arrays.Get(p);
    if (array.IsNull()) {
      directions.push_back(nullptr);
      continue;
    }
    directions.push_back(float_data(array, checked_mul(columns, sizes[p]), "directions"));
    holdings.pins.push_back(Napi::Persistent(array.As<Napi::Object>()));
  }
  return directions;
}

Napi::Value wrap(Napi::Env env, std::unique_ptr<Job> job, JobObject::Holdings holdings) {
  Napi::Object object = classes_of(env).job.New({});
  JobObject::Unwrap(object)->hold(std::move(job), std::move(holdings));
  return object;
}

}  // namespace AT_PRECISION
}  // namespace at
