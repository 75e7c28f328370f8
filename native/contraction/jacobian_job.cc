#include "contraction/jacobian_job.h"

#include <algorithm>
#include <cstring>

#include "contraction/gradient.h"
#include "core/parallel.h"
#include "reverse/expand.h"
#include "reverse/pass.h"

namespace at {

namespace {

// Writes expanded features where they belong; a later use of the same parameter is added.
class JacobianSink final : public FeatureSink {
 public:
  JacobianSink(std::vector<float*> results, std::vector<int64_t> sizes, int64_t first, Pool& pool)
      : results_(std::move(results)),
        sizes_(std::move(sizes)),
        written_(sizes_.size(), false),
        first_(first),
        pool_(pool) {}

  void matrix(int p, MatrixUse use) override {
    write(p, use, [&](int64_t count_stride, int64_t sample_stride, float* to) {
      expand_matrix(use, sample_stride, count_stride, to);
    });
    if (use.bias < 0) return;
    write(use.bias, use, [&](int64_t count_stride, int64_t sample_stride, float* to) {
      expand_bias(use, sample_stride, count_stride, to);
    });
  }

  void dense(int p, int64_t count, int64_t samples, std::shared_ptr<float> features) override {
    float* to = place(p, count);
    const int64_t P = sizes_[p];
    const bool add = written_[p];
    parallel_for(count * samples, grain_for(P), [&](int64_t begin, int64_t end) {
      for (int64_t ic = begin; ic < end; ++ic) {
        const int64_t i = ic / count, c = ic % count;
        const float* from = features.get() + (c * samples + i) * P;
        if (add) {
          for (int64_t e = 0; e < P; ++e) to[ic * P + e] += from[e];
        } else {
          std::memcpy(to + ic * P, from, static_cast<size_t>(P) * sizeof(float));
        }
      }
    });
    written_[p] = true;
  }

 private:
  float* place(int p, int64_t count) const { return results_[p] + first_ * count * sizes_[p]; }

  template <class Expand>
  void write(int p, const MatrixUse& use, const Expand& expand) {
    const int64_t P = sizes_[p];
    float* to = place(p, use.count);
    if (!written_[p]) {
      expand(P, use.count * P, to);
    } else {
      const int64_t size = use.samples * use.count * P;
      auto piece = pool_.floats(size);
      expand(P, use.count * P, piece.get());
      parallel_for(size, 1 << 16, [&](int64_t begin, int64_t end) {
        for (int64_t e = begin; e < end; ++e) to[e] += piece.get()[e];
      });
    }
    written_[p] = true;
  }

  std::vector<float*> results_;
  std::vector<int64_t> sizes_;
  std::vector<bool> written_;
  int64_t first_;
  Pool& pool_;
};

}  // namespace

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
