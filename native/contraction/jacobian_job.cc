#include "contraction/jacobian_job.h"

#include <algorithm>

#include "contraction/gradient.h"
#include "contraction/jacobian_sink.h"
#include "reverse/pass.h"

namespace at {

JacobianJob::JacobianJob(const Tape& tape, JobSettings settings, std::vector<float*> results)
    : Job(tape, std::move(settings)), results_(std::move(results)) {
  block_size_ = samples_per_block(static_cast<int64_t>(settings_.outputs.size()));
  settings_.control.expect(settings_.samples);
}

std::optional<Want> JacobianJob::next() {
  if (at_ >= settings_.samples) return std::nullopt;
  return Want{0, at_, std::min(block_size_, settings_.samples - at_)};
}

void JacobianJob::compute(const Frame& frame) {
  const auto count = static_cast<int64_t>(settings_.outputs.size());
  JacobianSink sink(results_, parameter_sizes(frame), at_, pool_);
  reverse_pass(tape_, frame, count, unit_seed(tape_, frame, settings_.outputs, pool_), pool_,
               settings_.control, sink);
  at_ += frame.samples;
  settings_.control.advance(frame.samples);
}

GradientJob::GradientJob(const Tape& tape, JobSettings settings, int64_t columns,
                         const float* vectors, std::vector<float*> results)
    : Job(tape, std::move(settings)),
      columns_(columns),
      vectors_(vectors),
      results_(std::move(results)) {
  block_size_ = samples_per_block(columns);
  settings_.control.expect(settings_.samples);
}

std::optional<Want> GradientJob::next() {
  if (at_ >= settings_.samples) return std::nullopt;
  return Want{0, at_, std::min(block_size_, settings_.samples - at_)};
}

void GradientJob::compute(const Frame& frame) {
  const std::vector<int64_t> sizes = parameter_sizes(frame);
  if (sums_.empty()) {
    for (int64_t size : sizes) sums_.emplace_back(static_cast<size_t>(columns_ * size), 0.0);
  }
  GradientSink sink(sizes, columns_, pool_);
  const auto picked = static_cast<int64_t>(settings_.outputs.size());
  auto seed = weighted_seed(tape_, frame, settings_.outputs, columns_,
                            vectors_ + at_ * picked * columns_, pool_);
  reverse_pass(tape_, frame, columns_, std::move(seed), pool_, settings_.control, sink);
  sink.add_to(sums_);
  at_ += frame.samples;
  settings_.control.advance(frame.samples);
  if (at_ < settings_.samples) return;
  for (size_t p = 0; p < results_.size(); ++p)
    std::transform(sums_[p].begin(), sums_[p].end(), results_[p],
                   [](double v) { return static_cast<float>(v); });
}

}  // namespace at
