#include "jobs/jacobian_job.h"

#include <algorithm>

#include "core/error.h"
#include "core/parallel.h"
#include "core/shape.h"
#include "jobs/jacobian_sink.h"
#include "jobs/jobs.h"
#include "reverse/pass.h"

namespace at {
inline namespace AT_PRECISION {

JacobianJob::JacobianJob(const Tape& tape, JobSettings settings, std::vector<Real*> results)
    : SweepJob(tape, std::move(settings), 0),
      results_(std::move(results)),
      uses_(parameter_uses(tape)),
      finite_(results_.size(), true) {
  // What a pass carries is in addition to the result, and gains nothing by being more.
  constexpr int64_t kEnough = int64_t{256} << 20, kFewest = 16;
  if (settings_.block > 0 || settings_.stream) return;
  const int64_t each = at_once_ * bytes_per_cotangent() + 1;
  block_size_ = std::min(block_size_, std::max(kFewest, kEnough / each));
  // As many in every block, or the last could be a run for a few.
  const int64_t samples = std::max<int64_t>(1, settings_.samples);
  const int64_t blocks = (samples + block_size_ - 1) / block_size_;
  block_size_ = (samples + blocks - 1) / blocks;
}

std::vector<Record> JacobianJob::report() const {
  std::vector<Record> told;
  for (const bool finite : finite_) told.push_back({{"finite", finite}});
  return told;
}

void JacobianJob::block(const Frame& frame) {
  const auto total = static_cast<int64_t>(settings_.outputs.size());
  blocks_of_outputs(settings_.outputs, at_once_, [&](const auto& outputs, int64_t first) {
    JacobianSink sink(results_, parameter_sizes(frame), {at_, total, first}, pool_);
    expanded_pass(frame, outputs, sink, uses_);
    for (size_t p = 0; p < finite_.size(); ++p)
      finite_[p] = finite_[p] && sink.bounded(static_cast<int>(p));
  });
}

AverageJacobianJob::AverageJacobianJob(const Tape& tape, JobSettings settings,
                                       std::vector<Real*> results, Path path)
    : Job(tape, std::move(settings)),
      results_(std::move(results)),
      path_(std::move(path)),
      uses_(parameter_uses(tape)) {
  at_once_ = outputs_at_once();
  // One node's Jacobian of a block is in addition to the sums.
  const auto quarter =
      static_cast<int64_t>(std::min<size_t>(settings_.memory / 4, size_t{1} << 28));
  int64_t numbers = 1;
  for (int id : tape_.parameters) numbers += element_count(tape_.values[id].static_shape);
  if (settings_.output_block <= 0)
    at_once_ = std::clamp<int64_t>(quarter / (4 * numbers), 1, at_once_);
  block_size_ = samples_per_block(at_once_);
  if (settings_.block <= 0)
    block_size_ = std::clamp<int64_t>(quarter / (4 * numbers * at_once_), 1, block_size_);
  settings_.control.expect(settings_.samples * static_cast<int64_t>(path_.weights.size()));
}

std::optional<Want> AverageJacobianJob::next() {
  if (at_ >= settings_.samples) return std::nullopt;
  return Want{0, at_, std::min(block_size_, settings_.samples - at_),
              path_.change ? Passes::kBoth : Passes::kReverse, static_cast<int>(node_)};
}

void AverageJacobianJob::compute(const Frame& frame) {
  if (frame.samples != next()->count) throw Error("BAD_ARGUMENT", "Another block was asked for");
  try {
    add(frame);
  } catch (...) {
    // The block begins again, at the first node, which overwrites the sums.
    node_ = 0;
    throw;
  }
  settings_.control.advance(frame.samples);
  if (++node_ < path_.weights.size()) return;
  node_ = 0;
  at_ += frame.samples;
  if (at_ >= settings_.samples) settle_device();
}

bool AverageJacobianJob::shrink(int64_t samples) {
  if (Job::shrink(samples)) return true;
  if (at_once_ <= 1) return false;
  at_once_ = (at_once_ + 1) / 2;
  return true;
}

void AverageJacobianJob::add(const Frame& frame) {
  blocks_of_outputs(settings_.outputs, at_once_,
                    [&](const auto& outputs, int64_t first) { add(frame, outputs, first); });
  if (path_.change) change_.add(tape_, frame, path_, node_, at_, settings_, pool_);
}

void AverageJacobianJob::add(const Frame& frame, const std::vector<int64_t>& outputs,
                             int64_t first_output) {
  const auto count = static_cast<int64_t>(outputs.size());
  const auto total = static_cast<int64_t>(settings_.outputs.size());
  const std::vector<int64_t> sizes = parameter_sizes(frame);
  std::vector<std::shared_ptr<Real>> held;
  std::vector<Real*> parts;
  for (int64_t size : sizes) {
    held.push_back(pool_.take<Real>(checked_mul(frame.samples * count, size)));
    parts.push_back(held.back().get());
  }
  JacobianSink sink(parts, sizes, {0, count, 0}, pool_);
  expanded_pass(frame, outputs, sink, uses_);
  const auto weight = static_cast<Real>(path_.weights[node_]);
  const bool fresh = node_ == 0;
  for (size_t p = 0; p < sizes.size(); ++p) {
    const int64_t P = sizes[p], rows = frame.samples * count;
    Real* base = results_[p] + (at_ * total + first_output) * P;
    const bool written = sink.written(static_cast<int>(p));
    const auto add = [=, part = held[p]] {
      parallel_for(rows, grain_for(P), [&](int64_t begin, int64_t end) {
        for (int64_t ic = begin; ic < end; ++ic) {
          const Real* from = part.get() + ic * P;
          Real* to = base + (ic / count * total + ic % count) * P;
          for (int64_t e = 0; e < P; ++e)
            to[e] = (fresh ? Real(0.0) : to[e]) + (written ? weight * from[e] : Real(0.0));
        }
      });
    };
    // Of a device the features of the pass are still on their way.
    if (settings_.stream)
      settings_.pending->then(add, DeviceNumbers());
    else
      add();
  }
}

namespace {

const JobKind jacobian("jacobian", [](JobRequest& request) -> std::unique_ptr<Job> {
  auto results = request.parameter_results(request.image_size(1));
  if (auto path = request.path(results.size())) {
    return std::make_unique<AverageJacobianJob>(request.tape, std::move(request.settings),
                                                std::move(results), std::move(*path));
  }
  return std::make_unique<JacobianJob>(request.tape, std::move(request.settings),
                                       std::move(results));
});

}  // namespace

}  // namespace AT_PRECISION
}  // namespace at
