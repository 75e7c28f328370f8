#include "contraction/jacobian_job.h"

#include "contraction/jacobian_sink.h"
#include "reverse/pass.h"

namespace at {

JacobianJob::JacobianJob(const Tape& tape, JobSettings settings, std::vector<float*> results)
    : SweepJob(tape, std::move(settings), 0), results_(std::move(results)) {}

void JacobianJob::block(const Frame& frame) {
  const auto count = static_cast<int64_t>(settings_.outputs.size());
  JacobianSink sink(results_, parameter_sizes(frame), at_, pool_);
  reverse_pass(tape_, frame, count, unit_seed(tape_, frame, settings_.outputs, pool_), pool_,
               settings_.control, sink);
}

GradientJob::GradientJob(const Tape& tape, JobSettings settings, int64_t columns,
                         const float* vectors, std::vector<float*> results)
    : SweepJob(tape, std::move(settings), columns),
      columns_(columns),
      vectors_(vectors),
      results_(std::move(results)) {}

void GradientJob::block(const Frame& frame) {
  GradientSink sink(parameter_sizes(frame), columns_, pool_);
  const auto picked = static_cast<int64_t>(settings_.outputs.size());
  auto seed = weighted_seed(tape_, frame, settings_.outputs, columns_,
                            vectors_ + at_ * picked * columns_, pool_);
  reverse_pass(tape_, frame, columns_, std::move(seed), pool_, settings_.control, sink);
  sums_.add(sink);
}

void GradientJob::finish() { sums_.write(results_); }

}  // namespace at
