#include "solve/features.h"

#include <algorithm>
#include <cstring>

#include "core/blas.h"
#include "core/lapack.h"
#include "core/parallel.h"
#include "core/shape.h"

namespace at::solve {

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
    : Features(samples, outputs, m, k), data_(bytes_of<T>(rows(), m, k)) {}

template <class T>
DenseFeatures<T>::DenseFeatures(int64_t samples, int64_t outputs, int64_t m, int64_t k, const T* x)
    : DenseFeatures(samples, outputs, m, k) {
  const size_t row = static_cast<size_t>(size()) * sizeof(T);
  parallel_for(rows(), grain_for(size()), [&](int64_t first, int64_t last) {
    std::memcpy(data() + first * size(), x + first * size(), (last - first) * row);
  });
}

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
        total += lapack::dot(count, widen(data() + r * width + j, count, scratch), b + j);
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
      const T* x = data() + r * width;
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
      const T* from = data() + r * size() + p * k();
      double* to = out + r * width;
      for (int64_t j = 0; j < width; ++j) to[j] = from[j];
    }
  });
}

template <class T>
void DenseFeatures<T>::row(int64_t r, double* out) const {
  std::copy(data() + r * size(), data() + (r + 1) * size(), out);
}

template <class T>
std::shared_ptr<const Features> DenseFeatures<T>::select(const std::vector<int64_t>& chosen) const {
  const int64_t width = outputs() * size();
  std::shared_ptr<DenseFeatures<T>> out(
      new DenseFeatures<T>(static_cast<int64_t>(chosen.size()), outputs(), m(), k()));
  for (size_t i = 0; i < chosen.size(); ++i)
    std::copy(data() + chosen[i] * width, data() + (chosen[i] + 1) * width,
              out->data() + static_cast<int64_t>(i) * width);
  return out;
}

template class DenseFeatures<float>;
template class DenseFeatures<double>;

template <class T>
FactoredFeatures::FactoredFeatures(int64_t samples, int64_t outputs, int64_t positions, int64_t m,
                                   int64_t k, const T* delta, const T* h, bool ones)
    : Features(samples, outputs, m, ones ? k + 1 : k),
      positions_(positions),
      delta_(bytes_of<double>(rows(), positions, m)),
      h_(bytes_of<double>(samples, positions, ones ? k + 1 : k)) {
  std::copy(delta, delta + rows() * positions * m, static_cast<double*>(delta_.data()));
  const int64_t width = ones ? k + 1 : k;
  for (int64_t i = 0; i < samples * positions; ++i) {
    double* to = static_cast<double*>(h_.data()) + i * width;
    std::copy(h + i * k, h + (i + 1) * k, to);
    if (ones) to[k] = 1;
  }
}

template FactoredFeatures::FactoredFeatures(int64_t, int64_t, int64_t, int64_t, int64_t,
                                            const float*, const float*, bool);
template FactoredFeatures::FactoredFeatures(int64_t, int64_t, int64_t, int64_t, int64_t,
                                            const double*, const double*, bool);

template <class T>
FactoredFeatures::FactoredFeatures(int64_t samples, int64_t outputs, int64_t positions, int64_t m,
                                   int64_t k, const T* delta, const int32_t* columns)
    : Features(samples, outputs, m, k),
      positions_(positions),
      delta_(bytes_of<double>(rows(), positions, m)),
      h_(0),
      columns_(columns, columns + samples * positions) {
  std::copy(delta, delta + rows() * positions * m, static_cast<double*>(delta_.data()));
}

void FactoredFeatures::project(const double* vectors, int64_t rank, double* out) const {
  const int64_t items = samples() * positions_;
  if (columns_.empty())
    return blas::parallel_gemm(false, true, items, rank, k(), 1.0, h(), k(), vectors, k(), 0.0, out,
                               rank);
  for (int64_t i = 0; i < items; ++i)
    for (int64_t j = 0; j < rank; ++j) out[i * rank + j] = vectors[j * k() + columns_[i]];
}

void FactoredFeatures::apply(const double* b, double* y) const {
  // (b h_t)·δ_t, summed over positions.
  const int64_t n = samples(), o = outputs(), t = positions_;
  std::vector<double> image(n * t * m());
  project(b, m(), image.data());
  parallel_for(n, grain_for(o * t * m()), [&](int64_t first, int64_t last) {
    for (int64_t i = first; i < last; ++i)
      for (int64_t c = 0; c < o; ++c)
        y[i * o + c] +=
            lapack::dot(t * m(), delta() + (i * o + c) * t * m(), image.data() + i * t * m());
  });
}

void FactoredFeatures::adjoint(const double* a, double* s) const {
  const int64_t n = samples(), o = outputs(), t = positions_, width = t * m();
  const Memory memory(bytes_of<double>(n, t, m()));
  double* mixed = static_cast<double*>(memory.data());  // Σ_o a δ: h is common to the outputs
  parallel_for(n, grain_for(o * width), [&](int64_t first, int64_t last) {
    for (int64_t i = first; i < last; ++i) {
      double* to = mixed + i * width;
      for (int64_t c = 0; c < o; ++c) {
        const double w = a[i * o + c];
        const double* d = delta() + (i * o + c) * width;
        for (int64_t j = 0; j < width; ++j) to[j] = (c > 0 ? to[j] : 0) + w * d[j];
      }
    }
  });
  if (!columns_.empty()) {
    std::fill(s, s + size(), 0.0);
    for (int64_t i = 0; i < n * t; ++i)
      for (int64_t j = 0; j < m(); ++j) s[j * k() + columns_[i]] += mixed[i * m() + j];
    return;
  }
  blas::parallel_gemm(true, false, m(), k(), n * t, 1.0, mixed, m(), h(), k(), 0.0, s, k());
}

void FactoredFeatures::expand(int64_t p, int64_t count, double* out) const {
  parallel_for(rows(), grain_for(positions_ * count * k()), [&](int64_t first, int64_t last) {
    for (int64_t r = first; r < last; ++r) multiply(r, p, count, out + r * count * k());
  });
}

void FactoredFeatures::row(int64_t r, double* out) const { multiply(r, 0, m(), out); }

// Rows [p, p + count) of X_r: out (count, k).
void FactoredFeatures::multiply(int64_t r, int64_t p, int64_t count, double* out) const {
  const double* d = delta() + r * positions_ * m() + p;
  const int64_t place = r / outputs() * positions_;
  if (columns_.empty()) {
    blas::gemm(true, false, count, k(), positions_, 1.0, d, m(), h() + place * k(), k(), 0.0, out,
               k());
    return;
  }
  std::fill(out, out + count * k(), 0.0);
  for (int64_t t = 0; t < positions_; ++t)
    for (int64_t j = 0; j < count; ++j) out[j * k() + columns_[place + t]] += d[t * m() + j];
}

std::shared_ptr<const Features> FactoredFeatures::select(const std::vector<int64_t>& chosen) const {
  const int64_t wide = outputs() * positions_ * m(), narrow = positions_ * k();
  const auto count = static_cast<int64_t>(chosen.size());
  std::vector<double> d(count * wide);
  for (int64_t i = 0; i < count; ++i)
    std::copy_n(delta() + chosen[i] * wide, wide, d.begin() + i * wide);
  if (!columns_.empty()) {
    std::vector<int32_t> columns;
    for (int64_t i : chosen)
      columns.insert(columns.end(), columns_.begin() + i * positions_,
                     columns_.begin() + (i + 1) * positions_);
    return std::make_shared<FactoredFeatures>(count, outputs(), positions_, m(), k(), d.data(),
                                              columns.data());
  }
  std::vector<double> g(count * narrow);
  for (int64_t i = 0; i < count; ++i) {
    std::copy_n(h() + chosen[i] * narrow, narrow, g.begin() + i * narrow);
  }
  return std::make_shared<FactoredFeatures>(count, outputs(), positions_, m(), k(), d.data(),
                                            g.data());
}

namespace {

// Factors multiplied out in double and rounded once to the precision that they came in.
template <class T>
class ProductFeatures : public DenseFeatures<T> {
 public:
  ProductFeatures(int64_t samples, int64_t outputs, int64_t positions, int64_t m, int64_t width,
                  const T* delta, const T* h, bool ones)
      : DenseFeatures<T>(samples, outputs, m, ones ? width + 1 : width) {
    const int64_t k = this->k();
    parallel_for(samples, 1, [&](int64_t first, int64_t last) {
      std::vector<double> left(positions * m), right(positions * k, 1.0), x(m * k);
      for (int64_t i = first; i < last; ++i) {
        for (int64_t t = 0; t < positions; ++t) {
          const T* from = h + (i * positions + t) * width;
          std::copy(from, from + width, right.begin() + t * k);
        }
        for (int64_t o = 0; o < outputs; ++o) {
          const int64_t r = i * outputs + o;
          std::copy(delta + r * positions * m, delta + (r + 1) * positions * m, left.begin());
          blas::gemm(true, false, m, k, positions, 1.0, left.data(), m, right.data(), k, 0.0,
                     x.data(), k);
          std::copy(x.begin(), x.end(), this->data() + r * m * k);
        }
      }
    });
  }
};

}  // namespace

bool better_dense(int64_t positions, int64_t m, int64_t k) {
  return positions > 1 && positions * positions * (m + k) > m * k;
}

template <class T>
std::unique_ptr<Features> from_factors(int64_t samples, int64_t outputs, int64_t positions,
                                       int64_t m, int64_t k, const T* delta, const T* h,
                                       bool ones) {
  if (better_dense(positions, m, ones ? k + 1 : k)) {
    return std::make_unique<ProductFeatures<T>>(samples, outputs, positions, m, k, delta, h, ones);
  }
  return std::make_unique<FactoredFeatures>(samples, outputs, positions, m, k, delta, h, ones);
}

template std::unique_ptr<Features> from_factors(int64_t, int64_t, int64_t, int64_t, int64_t,
                                                const float*, const float*, bool);
template std::unique_ptr<Features> from_factors(int64_t, int64_t, int64_t, int64_t, int64_t,
                                                const double*, const double*, bool);

template <class T>
std::unique_ptr<Features> from_picks(int64_t samples, int64_t outputs, int64_t positions, int64_t m,
                                     int64_t k, const T* delta, const int32_t* columns) {
  auto factors =
      std::make_unique<FactoredFeatures>(samples, outputs, positions, m, k, delta, columns);
  // Comparing two columns costs no more than reading a number.
  if (!better_dense(positions, m, k) || positions * positions < k) return factors;
  Memory x(bytes_of<T>(samples * outputs, m, k));
  T* to = static_cast<T*>(x.data());
  parallel_for(factors->rows(), 1, [&](int64_t first, int64_t last) {
    std::vector<double> row(m * k);
    for (int64_t r = first; r < last; ++r) {
      factors->row(r, row.data());
      std::copy(row.begin(), row.end(), to + r * m * k);
    }
  });
  return std::make_unique<DenseFeatures<T>>(samples, outputs, m, k, to);
}

template std::unique_ptr<Features> from_picks(int64_t, int64_t, int64_t, int64_t, int64_t,
                                              const float*, const int32_t*);
template std::unique_ptr<Features> from_picks(int64_t, int64_t, int64_t, int64_t, int64_t,
                                              const double*, const int32_t*);

}  // namespace at::solve
