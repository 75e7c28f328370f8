#include "jobs/jvp_job.h"

#include "jobs/jobs.h"
#include "reverse/pass.h"

namespace at {
inline namespace AT_PRECISION {

JvpJob::JvpJob(const Tape& tape, JobSettings settings, int64_t columns,
               std::vector<const Real*> directions, Real* result)
    : SweepJob(tape, std::move(settings), columns, Passes::kForward),
      columns_(columns),
      tangents_(tape, columns, std::move(directions)),
      result_(result) {}

void JvpJob::follow(std::vector<DeviceNumbers> directions) {
  tangents_.follow(std::make_unique<DeviceDirections>(settings_.stream, std::move(directions)));
}

void JvpJob::block(const Frame& frame) {
  const auto picked = static_cast<int64_t>(settings_.outputs.size());
  tangents_.bring(frame, settings_, pool_, result_ + at_ * picked * columns_);
}

NormalJob::NormalJob(const Tape& tape, JobSettings settings, int64_t columns,
                     std::vector<const Real*> directions, std::vector<Real*> results)
    : SweepJob(tape, std::move(settings), columns, Passes::kBoth),
      columns_(columns),
      tangents_(tape, columns, std::move(directions)),
      results_(std::move(results)) {}

void NormalJob::block(const Frame& frame) {
  const auto picked = static_cast<int64_t>(settings_.outputs.size());
  // Through the outputs that are wanted: the others' tangents do not flow back.
  auto image = pool_.take<Real>(checked_mul(frame.samples * picked, columns_));
  tangents_.read(frame, settings_, pool_, image.get());
  auto seed = weighted_seed(tape_, frame, settings_.outputs, columns_, image.get(), pool_);
  if (settings_.stream) {
    DeviceGradientSink sink(*settings_.stream, parameter_sizes(frame), columns_, pool_);
    pass_on_device(frame, columns_, std::move(seed), sink);
    return there_.add(sink);
  }
  const bool whole = frame.samples == settings_.samples;
  GradientSink sink = whole ? GradientSink(parameter_sizes(frame), columns_, pool_, results_)
                            : GradientSink(parameter_sizes(frame), columns_, pool_);
  reverse_pass(tape_, frame, columns_, std::move(seed), pool_, settings_.control, sink);
  if (whole) return sink.clear_rest();
  sums_.add(sink);
}

void NormalJob::finish() {
  if (!settings_.stream) return sums_.write(results_);
  there_.write(*settings_.stream, results_, at::parameter_sizes(tape_), columns_);
}

namespace {

const JobKind jvp("jvp", [](JobRequest& request) -> std::unique_ptr<Job> {
  const int64_t columns = request.columns();
  auto directions = request.directions(request.options.arrays("directions"), columns);
  Real* result = request.result(0, request.image_size(columns));
  return std::make_unique<JvpJob>(request.tape, std::move(request.settings), columns,
                                  std::move(directions), result);
});

const JobKind normal("normal", [](JobRequest& request) -> std::unique_ptr<Job> {
  const int64_t columns = request.columns();
  auto directions = request.directions(request.options.arrays("directions"), columns);
  auto results = request.parameter_results(columns);
  return std::make_unique<NormalJob>(request.tape, std::move(request.settings), columns,
                                     std::move(directions), std::move(results));
});

}  // namespace

}  // namespace AT_PRECISION
}  // namespace at
