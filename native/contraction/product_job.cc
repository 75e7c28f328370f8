#include "contraction/product_job.h"

#include <algorithm>

#include "core/blas.h"
#include "core/parallel.h"
#include "reverse/pass.h"

namespace at {

namespace {

// result[i, c, q] += ⟨X[i,c], U[q]⟩ for the features that come in, U per parameter (Q, …shape).
class DirectionSink final : public FeatureSink {
 public:
  DirectionSink(const std::vector<std::shared_ptr<float>>& direction,
                const std::vector<int64_t>& sizes, int64_t columns, Pool& pool, float* result)
      : direction_(direction), sizes_(sizes), columns_(columns), pool_(pool), result_(result) {}

  void matrix(int parameter, MatrixUse use) override {
    const int64_t G = use.dims.groups, T = use.dims.positions, n = use.samples, C = use.count;
    const int64_t m = use.dims.rows, k = use.dims.cols, Q = columns_;
    const float* u = direction_[parameter].get();
    const float* bias = use.bias >= 0 ? direction_[use.bias].get() : nullptr;
    auto image = pool_.floats(n * T * Q * m);
    for (int64_t g = 0; g < G; ++g) {
      // Y[(i,t), q] (m) = U_q h_{i,t}, then the inner product with δ_{i,t,c}.
      for (int64_t q = 0; q < Q; ++q) {
        const float* uq = u + q * sizes_[parameter] + g * m * k;
        for (int64_t i = 0; i < (G == 1 ? 1 : n); ++i) {
          const int64_t rows = G == 1 ? n * T : T;
          const float* h = use.h.get() + (i * G + g) * T * k;
          float* y = image.get() + (i * T * Q + q) * m;
          blas::parallel_gemm(false, !use.dims.transposed, rows, m, k, 1.0f, h, k, uq,
                              use.dims.transposed ? m : k, 0.0f, y, Q * m);
        }
        if (!bias) continue;
        for (int64_t row = 0; row < n * T; ++row)
          for (int64_t r = 0; r < m; ++r) image.get()[(row * Q + q) * m + r] += bias[q * m + r];
      }
      parallel_for(n, grain_for(T * C * m), [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) {
          for (int64_t t = 0; t < T; ++t) {
            const float* delta = use.delta.get() + ((i * G + g) * T + t) * C * m;
            blas::gemm(false, true, C, Q, m, 1.0f, delta, m, image.get() + (i * T + t) * Q * m, m,
                       1.0f, result_ + i * C * Q, Q);
          }
        }
      });
    }
  }

  void dense(int parameter, int64_t count, int64_t samples,
             std::shared_ptr<float> features) override {
    const int64_t P = sizes_[parameter], Q = columns_;
    auto piece = pool_.floats(count * samples * Q);
    blas::parallel_gemm(false, true, count * samples, Q, P, 1.0f, features.get(), P,
                        direction_[parameter].get(), P, 0.0f, piece.get(), Q);
    for (int64_t c = 0; c < count; ++c)
      for (int64_t i = 0; i < samples; ++i)
        for (int64_t q = 0; q < Q; ++q)
          result_[(i * count + c) * Q + q] += piece.get()[(c * samples + i) * Q + q];
  }

 private:
  const std::vector<std::shared_ptr<float>>& direction_;
  const std::vector<int64_t>& sizes_;
  int64_t columns_;
  Pool& pool_;
  float* result_;
};

}  // namespace

ProductJob::ProductJob(const Tape& tape, JobSettings settings, int64_t columns,
                       const float* vectors, std::vector<int64_t> sizes, float* result)
    : Job(tape, std::move(settings)), columns_(columns), result_(result), sizes_(std::move(sizes)) {
  block_size_ = samples_per_block(static_cast<int64_t>(settings_.outputs.size()));
  std::vector<float*> direction;
  for (int64_t size : sizes_) {
    direction_.push_back(pool_.floats(checked_mul(columns_, size)));
    direction.push_back(direction_.back().get());
  }
  JobSettings rest = settings_;
  rest.memory -= pool_.live_bytes();  // within the budget: the pool has seen to that
  gradient_ = std::make_unique<GradientJob>(tape, std::move(rest), columns_, vectors, direction);
  settings_.control.expect(settings_.samples);
}

std::optional<Want> ProductJob::next() {
  if (gradient_) return gradient_->next();
  if (at_ >= settings_.samples) return std::nullopt;
  return Want{0, at_, std::min(block_size_, settings_.samples - at_)};
}

void ProductJob::compute(const Frame& frame) {
  if (gradient_) {
    gradient_->feed(frame);
    if (!gradient_->next()) gradient_.reset();
    return;
  }
  apply(frame);
}

void ProductJob::apply(const Frame& frame) {
  const auto count = static_cast<int64_t>(settings_.outputs.size());
  float* result = result_ + at_ * count * columns_;
  std::fill(result, result + frame.samples * count * columns_, 0.0f);
  DirectionSink sink(direction_, sizes_, columns_, pool_, result);
  reverse_pass(tape_, frame, count, unit_seed(tape_, frame, settings_.outputs, pool_), pool_,
               settings_.control, sink);
  at_ += frame.samples;
  settings_.control.advance(frame.samples);
}

}  // namespace at
