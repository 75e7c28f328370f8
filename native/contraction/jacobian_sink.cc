#include "contraction/jacobian_sink.h"

#include <cstring>

#include "core/parallel.h"
#include "core/shape.h"
#include "reverse/expand.h"

namespace at {

JacobianSink::JacobianSink(std::vector<float*> results, std::vector<int64_t> sizes, int64_t first,
                           Pool& pool)
    : results_(std::move(results)),
      sizes_(std::move(sizes)),
      written_(sizes_.size(), false),
      first_(first),
      pool_(pool) {}

// expand(sample_stride, count_stride, to) writes one use's features.
template <class Expand>
void JacobianSink::write(int p, const MatrixUse& use, const Expand& expand) {
  const int64_t P = sizes_[p];
  float* to = results_[p] + first_ * use.count * P;
  if (!written_[p]) {
    expand(use.count * P, P, to);
  } else {
    const int64_t size = checked_mul(use.samples * use.count, P);
    auto piece = pool_.floats(size);
    expand(use.count * P, P, piece.get());
    parallel_for(size, 1 << 16, [&](int64_t begin, int64_t end) {
      for (int64_t e = begin; e < end; ++e) to[e] += piece.get()[e];
    });
  }
  written_[p] = true;
}

void JacobianSink::matrix(int p, MatrixUse use) {
  if (use.dims.picks && written_[p])
    return add_picks(use, use.count * sizes_[p], sizes_[p],
                     results_[p] + first_ * use.count * sizes_[p]);
  write(p, use, [&](int64_t sample_stride, int64_t count_stride, float* to) {
    expand_matrix(use, sample_stride, count_stride, to);
  });
  if (use.bias >= 0) bias(use);
}

void JacobianSink::bias(const MatrixUse& use) {
  write(use.bias, use, [&](int64_t sample_stride, int64_t count_stride, float* to) {
    expand_bias(use, sample_stride, count_stride, to);
  });
}

void JacobianSink::dense(int p, int64_t count, int64_t samples, std::shared_ptr<float> features) {
  const int64_t P = sizes_[p];
  float* to = results_[p] + first_ * count * P;
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

}  // namespace at
