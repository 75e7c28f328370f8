#include "jobs/gradient_job.h"

#include "core/shape.h"
#include "jobs/jobs.h"
#include "reverse/pass.h"

namespace at {
inline namespace AT_PRECISION {

WeightedJob::WeightedJob(const Tape& tape, JobSettings settings, int64_t columns,
                         std::vector<Real*> results, Passes passes)
    : SweepJob(tape, std::move(settings), columns, passes),
      columns_(columns),
      results_(std::move(results)) {}

void WeightedJob::add(const Frame& frame, const Real* u) {
  auto seed = weighted_seed(tape_, frame, settings_.outputs, columns_, u, pool_);
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

void WeightedJob::finish() {
  if (!settings_.stream) return sums_.write(results_);
  if (!results_.empty())
    there_.write(*settings_.stream, results_, at::parameter_sizes(tape_), columns_);
}

GradientJob::GradientJob(const Tape& tape, JobSettings settings, int64_t columns,
                         const Real* vectors, std::vector<Real*> results)
    : WeightedJob(tape, std::move(settings), columns, std::move(results), Passes::kReverse),
      vectors_(vectors) {}

void GradientJob::block(const Frame& frame) {
  const auto picked = static_cast<int64_t>(settings_.outputs.size());
  add(frame, vectors_ + at_ * picked * columns_);
}

NormalJob::NormalJob(const Tape& tape, JobSettings settings, int64_t columns,
                     std::vector<const Real*> directions, std::vector<Real*> results)
    : WeightedJob(tape, std::move(settings), columns, std::move(results), Passes::kBoth),
      tangents_(tape, columns, std::move(directions)) {}

void NormalJob::block(const Frame& frame) {
  const auto picked = static_cast<int64_t>(settings_.outputs.size());
  // Through the outputs that are wanted: the others' tangents do not flow back.
  auto image = pool_.take<Real>(checked_mul(frame.samples * picked, columns_));
  tangents_.read(frame, settings_, pool_, image.get());
  add(frame, image.get());
}

namespace {

const JobKind vjp("vjp", [](JobRequest& request) -> std::unique_ptr<Job> {
  const int64_t columns = request.columns();
  const Real* vectors = request.options.reals("cotangents", request.image_size(columns));
  auto results = request.parameter_results(columns);
  return std::make_unique<GradientJob>(request.tape, std::move(request.settings), columns, vectors,
                                       std::move(results));
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
