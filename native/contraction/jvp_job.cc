#include "contraction/jvp_job.h"

#include <algorithm>

#include "contraction/gradient.h"
#include "forward/pass.h"
#include "reverse/pass.h"

namespace at {

JvpJob::JvpJob(const Tape& tape, JobSettings settings, int64_t columns,
               std::vector<const float*> directions, float* result)
    : Job(tape, std::move(settings)),
      columns_(columns),
      directions_(std::move(directions)),
      result_(result) {
  block_size_ = samples_per_block(columns);
  settings_.control.expect(settings_.samples);
}

std::optional<Want> JvpJob::next() {
  if (at_ >= settings_.samples) return std::nullopt;
  return Want{0, at_, std::min(block_size_, settings_.samples - at_), Passes::kForward};
}

void JvpJob::compute(const Frame& frame) {
  const auto picked = static_cast<int64_t>(settings_.outputs.size());
  const auto tangent = forward_pass(tape_, frame, columns_, directions_, pool_, settings_.control);
  read_tangent(tape_, frame, settings_.outputs, columns_, tangent.get(),
               result_ + at_ * picked * columns_);
  at_ += frame.samples;
  settings_.control.advance(frame.samples);
}

NormalJob::NormalJob(const Tape& tape, JobSettings settings, int64_t columns,
                     std::vector<const float*> directions, std::vector<float*> results)
    : Job(tape, std::move(settings)),
      columns_(columns),
      directions_(std::move(directions)),
      results_(std::move(results)) {
  block_size_ = samples_per_block(columns);
  settings_.control.expect(settings_.samples);
}

std::optional<Want> NormalJob::next() {
  if (at_ >= settings_.samples) return std::nullopt;
  return Want{0, at_, std::min(block_size_, settings_.samples - at_), Passes::kBoth};
}

void NormalJob::compute(const Frame& frame) {
  const std::vector<int64_t> sizes = parameter_sizes(frame);
  if (sums_.empty()) {
    for (int64_t size : sizes) sums_.emplace_back(static_cast<size_t>(columns_ * size), 0.0);
  }
  const auto picked = static_cast<int64_t>(settings_.outputs.size());
  // Through the outputs that are wanted: the others' tangents do not flow back.
  auto image = pool_.floats(checked_mul(frame.samples * picked, columns_));
  {
    const auto tangent =
        forward_pass(tape_, frame, columns_, directions_, pool_, settings_.control);
    read_tangent(tape_, frame, settings_.outputs, columns_, tangent.get(), image.get());
  }
  GradientSink sink(sizes, columns_, pool_);
  reverse_pass(tape_, frame, columns_,
               weighted_seed(tape_, frame, settings_.outputs, columns_, image.get(), pool_), pool_,
               settings_.control, sink);
  sink.add_to(sums_);
  at_ += frame.samples;
  settings_.control.advance(frame.samples);
  if (at_ < settings_.samples) return;
  for (size_t p = 0; p < results_.size(); ++p)
    std::transform(sums_[p].begin(), sums_[p].end(), results_[p],
                   [](double v) { return static_cast<float>(v); });
}

}  // namespace at
