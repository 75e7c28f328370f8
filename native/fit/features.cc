#include "fit/features.h"

#include <algorithm>
#include <cstring>

#include "core/blas.h"
#include "core/lapack.h"
#include "core/parallel.h"
#include "core/shape.h"

namespace at::fit {

namespace {

template <class T>
size_t bytes_of(int64_t a, int64_t b, int64_t c) {
  return static_cast<size_t>(checked_mul(checked_mul(checked_mul(a, b), c), sizeof(T)));
}

// Columns of a row that are worked on at once: stays in the first-level cache.
constexpr int64_t kStrip = 2048;

const double* widen(const float* x, int64_t count, double* scratch) {
  for (int64_t i = 0; i < count; ++i) scratch[i] = x[i];
  return scratch;
}
const double* widen(const double* x, int64_t, double*) { return x; }

}  // namespace

template <class T>
DenseFeatures<T>::DenseFeatures(int64_t samples, int64_t outputs, int64_t m, int64_t k)
    : Features(samples, outputs, m, k),
      data_(std::make_shared<Memory>(bytes_of<T>(rows(), m, k))) {}

template <class T>
DenseFeatures<T>::DenseFeatures(int64_t samples, int64_t outputs, int64_t m, int64_t k, const T* x,
                                bool transposed, const T* bias)
    : DenseFeatures(samples, outputs, m, bias ? k + 1 : k) {
  const int64_t width = bias ? k + 1 : k;
  parallel_for(rows(), grain_for(size()), [&](int64_t first, int64_t last) {
    for (int64_t r = first; r < last; ++r) {
      const T* from = x + r * m * k;
      T* to = data() + r * size();
      for (int64_t i = 0; i < m; ++i) {
        for (int64_t j = 0; j < k; ++j)
          to[i * width + j] = transposed ? from[j * m + i] : from[i * k + j];
        if (bias) to[i * width + k] = bias[r * m + i];
      }
    }
  });
}

template <class T>
void DenseFeatures<T>::apply(const double* b, double* y) const {
  const int64_t width = size();
  parallel_for(rows(), grain_for(width), [&](int64_t first, int64_t last) {
    double scratch[kStrip];
    for (int64_t r = first; r < last; ++r) {
      double total = 0;
      for (int64_t j = 0; j < width; j += kStrip) {
        const int64_t count = std::min(kStrip, width - j);
        total += lapack::dot(count, widen(numbers() + r * width + j, count, scratch), b + j);
      }
      y[r] += total;
    }
  });
}

template <class T>
void DenseFeatures<T>::adjoint(const double* a, double* s) const {
  const int64_t width = size(), count = rows();
  std::memset(s, 0, width * sizeof(double));
  parallel_for((width + kStrip - 1) / kStrip, 1, [&](int64_t first, int64_t last) {
    const int64_t begin = first * kStrip, end = std::min(width, last * kStrip);
    for (int64_t r = 0; r < count; ++r) {
      const T* x = numbers() + r * width;
      const double w = a[r];
      for (int64_t j = begin; j < end; ++j) s[j] += w * x[j];
    }
  });
}

template <class T>
void DenseFeatures<T>::expand(int64_t p, int64_t count, double* out) const {
  const int64_t width = count * k();
  parallel_for(rows(), grain_for(width), [&](int64_t first, int64_t last) {
    for (int64_t r = first; r < last; ++r) {
      const T* from = numbers() + r * size() + p * k();
      double* to = out + r * width;
      for (int64_t j = 0; j < width; ++j) to[j] = from[j];
    }
  });
}

template <class T>
void DenseFeatures<T>::row(int64_t r, double* out) const {
  std::copy(numbers() + r * size(), numbers() + (r + 1) * size(), out);
}

template <class T>
std::shared_ptr<const Features> DenseFeatures<T>::select(const std::vector<int64_t>& chosen) const {
  const int64_t width = outputs() * size();
  std::shared_ptr<DenseFeatures<T>> out(
      new DenseFeatures<T>(static_cast<int64_t>(chosen.size()), outputs(), m(), k()));
  for (size_t i = 0; i < chosen.size(); ++i)
    std::copy(numbers() + chosen[i] * width, numbers() + (chosen[i] + 1) * width,
              out->data() + static_cast<int64_t>(i) * width);
  return out;
}

template class DenseFeatures<float>;
template class DenseFeatures<double>;

FactoredFeatures::FactoredFeatures(int64_t samples, int64_t outputs, int64_t positions, int64_t m,
                                   int64_t k, bool picks)
    : Features(samples, outputs, m, k),
      positions_(positions),
      delta_(bytes_of<double>(rows(), positions, m)),
      h_(picks ? 0 : bytes_of<double>(samples, positions, k)) {
  if (!picks) return;
  picked_.columns.resize(samples * positions);
  for (int64_t i = 0; i <= samples; ++i) picked_.starts.push_back(i * positions);
}

namespace {

// (samples, outputs, positions, m) to (samples, positions, outputs, m).
template <class T>
void positions_first(const Features& f, int64_t positions, const T* from, double* to) {
  const int64_t m = f.m(), outputs = f.outputs();
  parallel_for(f.rows(), grain_for(positions * m), [&](int64_t first, int64_t last) {
    for (int64_t r = first; r < last; ++r)
      for (int64_t t = 0; t < positions; ++t)
        std::copy_n(from + (r * positions + t) * m, m,
                    to + ((r / outputs * positions + t) * outputs + r % outputs) * m);
  });
}

}  // namespace

template <class T>
FactoredFeatures::FactoredFeatures(const FactorSizes& sizes, const T* delta, const T* h)
    : FactoredFeatures(sizes.samples, sizes.outputs, sizes.positions, sizes.m, sizes.width(),
                       false) {
  positions_first(*this, positions_, delta, delta_.numbers<double>());
  parallel_for(sizes.samples, grain_for(positions_ * k()), [&](int64_t first, int64_t last) {
    double* to = h_.numbers<double>() + first * positions_ * k();
    for (int64_t i = first; i < last; ++i)
      for (int64_t t = 0; t < positions_; ++t, to += k()) {
        std::copy_n(h + (i / sizes.sharing * positions_ + t) * sizes.k, sizes.k, to);
        if (sizes.ones) to[sizes.k] = 1;
      }
  });
}

template FactoredFeatures::FactoredFeatures(const FactorSizes&, const float*, const float*);
template FactoredFeatures::FactoredFeatures(const FactorSizes&, const double*, const double*);

template <class T>
FactoredFeatures::FactoredFeatures(const FactorSizes& sizes, const T* delta, const int32_t* columns)
    : FactoredFeatures(sizes.samples, sizes.outputs, sizes.positions, sizes.m, sizes.k, true) {
  positions_first(*this, positions_, delta, delta_.numbers<double>());
  for (int64_t i = 0; i < sizes.samples; ++i)
    std::copy_n(columns + i / sizes.sharing * positions_, positions_,
                picked_.columns.begin() + i * positions_);
}

void FactoredFeatures::project(const double* vectors, int64_t rank, double* out) const {
  const int64_t items = samples() * positions_;
  if (!picks())
    return blas::parallel_gemm(false, true, items, rank, k(), 1.0, h(), k(), vectors, k(), 0.0, out,
                               rank);
  for (int64_t i = 0; i < items; ++i)
    for (int64_t j = 0; j < rank; ++j) out[i * rank + j] = vectors[j * k() + picked_.columns[i]];
}

void FactoredFeatures::apply(const double* b, double* y) const {
  // (b h_t)·δ_t, summed over positions.
  const int64_t n = samples(), o = outputs(), t = positions_;
  std::vector<double> image(n * t * m());
  project(b, m(), image.data());
  parallel_for(n, grain_for(o * t * m()), [&](int64_t first, int64_t last) {
    for (int64_t i = first; i < last; ++i)
      for (int64_t c = 0; c < o; ++c) {
        double total = 0;
        for (int64_t e = i * t; e < (i + 1) * t; ++e)
          total += lapack::dot(m(), delta() + (e * o + c) * m(), image.data() + e * m());
        y[i * o + c] += total;
      }
  });
}

void FactoredFeatures::adjoint(const double* a, double* s) const {
  const int64_t n = samples(), o = outputs(), t = positions_, items = n * t;
  const Memory memory(bytes_of<double>(n, t, m()));
  double* mixed = memory.numbers<double>();  // Σ_o a δ: h is common to the outputs
  parallel_for(items, grain_for(o * m()), [&](int64_t first, int64_t last) {
    for (int64_t e = first; e < last; ++e) {
      double* to = mixed + e * m();
      for (int64_t c = 0; c < o; ++c) {
        const double w = a[e / t * o + c];
        const double* d = delta() + (e * o + c) * m();
        for (int64_t j = 0; j < m(); ++j) to[j] = (c > 0 ? to[j] : 0) + w * d[j];
      }
    }
  });
  if (picks()) {
    std::fill(s, s + size(), 0.0);
    for (int64_t e = 0; e < items; ++e)
      for (int64_t j = 0; j < m(); ++j) s[j * k() + picked_.columns[e]] += mixed[e * m() + j];
    return;
  }
  blas::parallel_gemm(true, false, m(), k(), items, 1.0, mixed, m(), h(), k(), 0.0, s, k());
}

void FactoredFeatures::expand(int64_t p, int64_t count, double* out) const {
  parallel_for(rows(), grain_for(positions_ * count * k()), [&](int64_t first, int64_t last) {
    for (int64_t r = first; r < last; ++r) multiply(r, p, count, out + r * count * k());
  });
}

void FactoredFeatures::row(int64_t r, double* out) const { multiply(r, 0, m(), out); }

// Rows [p, p + count) of X_r: out (count, k).
void FactoredFeatures::multiply(int64_t r, int64_t p, int64_t count, double* out) const {
  const int64_t place = r / outputs() * positions_, stride = outputs() * m();
  const double* d = delta() + place * stride + r % outputs() * m() + p;
  if (!picks()) {
    blas::gemm(true, false, count, k(), positions_, 1.0, d, stride, h() + place * k(), k(), 0.0,
               out, k());
    return;
  }
  std::fill(out, out + count * k(), 0.0);
  for (int64_t t = 0; t < positions_; ++t)
    for (int64_t j = 0; j < count; ++j)
      out[j * k() + picked_.columns[place + t]] += d[t * stride + j];
}

std::shared_ptr<const Features> FactoredFeatures::select(const std::vector<int64_t>& chosen) const {
  const int64_t wide = outputs() * positions_ * m(), narrow = positions_ * k();
  std::shared_ptr<FactoredFeatures> out(new FactoredFeatures(
      static_cast<int64_t>(chosen.size()), outputs(), positions_, m(), k(), picks()));
  for (size_t i = 0; i < chosen.size(); ++i) {
    const auto to = static_cast<int64_t>(i);
    std::copy_n(delta() + chosen[i] * wide, wide, out->delta_.numbers<double>() + to * wide);
    if (picks()) {
      std::copy_n(picked_.columns.begin() + chosen[i] * positions_, positions_,
                  out->picked_.columns.begin() + to * positions_);
    } else {
      std::copy_n(h() + chosen[i] * narrow, narrow, out->h_.numbers<double>() + to * narrow);
    }
  }
  return out;
}

namespace {

// Factors multiplied out in double, sample by sample, and rounded once to the precision that they
// came in. `right` is h, or its columns; `width` of them stand at a position.
template <class T, class Right>
std::unique_ptr<Features> multiplied_out(const FactorSizes& sizes, const T* delta,
                                         const Right* right, int64_t width) {
  const int64_t outputs = sizes.outputs, left = outputs * sizes.positions * sizes.m;
  const int64_t size = sizes.m * sizes.width();
  std::shared_ptr<Memory> x = std::make_shared<Memory>(bytes_of<T>(sizes.samples, outputs, size));
  FactorSizes one = sizes;
  one.samples = one.sharing = 1;
  parallel_for(sizes.samples, 1, [&](int64_t first, int64_t last) {
    std::vector<double> row(size);
    for (int64_t i = first; i < last; ++i) {
      const FactoredFeatures sample(one, delta + i * left,
                                    right + i / sizes.sharing * sizes.positions * width);
      for (int64_t o = 0; o < outputs; ++o) {
        sample.row(o, row.data());
        std::copy(row.begin(), row.end(), x->numbers<T>() + (i * outputs + o) * size);
      }
    }
  });
  return std::make_unique<DenseFeatures<T>>(sizes.samples, outputs, sizes.m, sizes.width(),
                                            std::move(x));
}

}  // namespace

bool better_dense(int64_t positions, int64_t m, int64_t k) {
  return positions > 1 && positions * positions * (m + k) > m * k;
}

template <class T>
std::unique_ptr<Features> from_factors(const FactorSizes& sizes, const T* delta, const T* h) {
  if (better_dense(sizes.positions, sizes.m, sizes.width()))
    return multiplied_out(sizes, delta, h, sizes.k);
  return std::make_unique<FactoredFeatures>(sizes, delta, h);
}

template std::unique_ptr<Features> from_factors(const FactorSizes&, const float*, const float*);
template std::unique_ptr<Features> from_factors(const FactorSizes&, const double*, const double*);

template <class T>
std::unique_ptr<Features> from_picks(const FactorSizes& sizes, const T* delta,
                                     const int32_t* columns) {
  // Comparing two columns costs no more than reading a number.
  const int64_t pairs = sizes.positions * sizes.positions;
  if (better_dense(sizes.positions, sizes.m, sizes.k) && pairs >= sizes.k)
    return multiplied_out(sizes, delta, columns, 1);
  return std::make_unique<FactoredFeatures>(sizes, delta, columns);
}

template std::unique_ptr<Features> from_picks(const FactorSizes&, const float*, const int32_t*);
template std::unique_ptr<Features> from_picks(const FactorSizes&, const double*, const int32_t*);

}  // namespace at::fit
