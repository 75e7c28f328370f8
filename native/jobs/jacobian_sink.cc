#include "jobs/jacobian_sink.h"

#include <cstring>

#include "core/parallel.h"
#include "core/shape.h"
#include "reverse/expand.h"

namespace at {
inline namespace AT_PRECISION {

JacobianSink::JacobianSink(std::vector<Real*> results, std::vector<int64_t> sizes,
                           JacobianRows rows, Pool& pool)
    : results_(std::move(results)),
      sizes_(std::move(sizes)),
      written_(sizes_.size(), false),
      bounded_(sizes_.size(), false),
      rows_(rows),
      pool_(pool) {}

// expand(sample_stride, count_stride, to) writes one use's features.
template <class Expand>
void JacobianSink::write(int p, const MatrixUse& use, const Expand& expand) {
  const int64_t P = sizes_[p], length = use.count * P;
  Real* to = start(p);
  if (!written_[p]) {
    expand(stride(p), P, to);
  } else {
    auto piece = pool_.take<Real>(checked_mul(use.samples, length));
    expand(length, P, piece.get());
    parallel_for(use.samples * use.count, grain_for(P), [&](int64_t begin, int64_t end) {
      for (int64_t ic = begin; ic < end; ++ic) {
        Real* row = to + ic / use.count * stride(p) + ic % use.count * P;
        for (int64_t e = 0; e < P; ++e) row[e] += piece.get()[ic * P + e];
      }
    });
  }
  written_[p] = true;
}

void JacobianSink::matrix(int p, MatrixUse use) {
  bounded_[p] = !written_[p] && expands_to_finite(use);
  if (use.dims.picks && written_[p]) return add_picks(use, stride(p), sizes_[p], start(p));
  write(p, use, [&](int64_t sample_stride, int64_t count_stride, Real* to) {
    expand_matrix(use, sample_stride, count_stride, to);
  });
  if (use.bias >= 0) bias(use);
}

void JacobianSink::bias(const MatrixUse& use) {
  bounded_[use.bias] = false;
  write(use.bias, use, [&](int64_t sample_stride, int64_t count_stride, Real* to) {
    expand_bias(use, sample_stride, count_stride, to);
  });
}

template <class Row>
void JacobianSink::copy(int p, int64_t count, int64_t samples, const Row& row_of) {
  const int64_t P = sizes_[p];
  Real* to = start(p);
  const bool add = written_[p];
  bounded_[p] = false;
  parallel_for(count * samples, grain_for(P), [&](int64_t begin, int64_t end) {
    for (int64_t ic = begin; ic < end; ++ic) {
      const int64_t i = ic / count, c = ic % count;
      const Real* from = row_of(i, c);
      Real* row = to + i * stride(p) + c * P;
      if (add) {
        for (int64_t e = 0; e < P; ++e) row[e] += from[e];
      } else {
        std::memcpy(row, from, static_cast<size_t>(P) * sizeof(Real));
      }
    }
  });
  written_[p] = true;
}

void JacobianSink::dense(int p, int64_t count, int64_t samples, std::shared_ptr<Real> features) {
  copy(p, count, samples,
       [&](int64_t i, int64_t c) { return features.get() + (c * samples + i) * sizes_[p]; });
}

void JacobianSink::multiplied(int p, int64_t count, int64_t samples,
                              std::shared_ptr<Real> features) {
  copy(p, count, samples,
       [&](int64_t i, int64_t c) { return features.get() + (i * count + c) * sizes_[p]; });
}

}  // namespace AT_PRECISION
}  // namespace at
