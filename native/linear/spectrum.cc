#include "linear/spectrum.h"

#include <algorithm>
#include <cfloat>
#include <cmath>
#include <utility>

#include "core/blas.h"
#include "core/lapack.h"
#include "core/parallel.h"

namespace at::linear {

namespace {

// As lapack::eigen has it.
void eigen_on(device::Stream& stream, bool vectors, int64_t n, double* a, double* values) {
  const auto matrix = stream.send(a, n * n), found = stream.take<double>(n);
  stream.eigen(device::Eigen<double>{vectors, n, matrix.at(), found.at()});
  stream.fetch(values, found, n);
  if (vectors) stream.fetch(a, matrix, n * n);
}

}  // namespace

Spectrum::Spectrum(int64_t n, std::vector<double> a, bool vectors, device::Stream* stream)
    : n_(n), values_(static_cast<size_t>(n)), vectors_(std::move(a)) {
  if (stream)
    eigen_on(*stream, vectors, n, vectors_.data(), values_.data());
  else
    lapack::eigen(vectors, n, vectors_.data(), values_.data());
  std::reverse(values_.begin(), values_.end());
  if (!vectors) {
    vectors_ = {};
    return;
  }
  for (int64_t i = 0, j = n - 1; i < j; ++i, --j)
    std::swap_ranges(vectors_.begin() + i * n, vectors_.begin() + (i + 1) * n,
                     vectors_.begin() + j * n);
}

int64_t Spectrum::rank() const {
  const double least =
      static_cast<double>(n_) * DBL_EPSILON * std::max(values_.empty() ? 0 : values_[0], 0.0);
  int64_t rank = n_;
  while (rank > 0 && !(values_[rank - 1] > least)) --rank;
  return rank;
}

double Spectrum::effective_rank() const { return linear::effective_rank(values_); }

double effective_rank(const std::vector<double>& values) {
  double sum = 0, entropy = 0;
  for (double value : values) sum += std::max(value, 0.0);
  for (double value : values)
    if (value > 0) entropy -= value / sum * std::log(value / sum);
  return sum > 0 ? std::exp(entropy) : 0;
}

std::vector<double> Spectrum::filter(const std::vector<double>& weights,
                                     const std::vector<double>& x, int64_t columns) const {
  std::vector<double> parts = coordinates(x, columns);
  for (int64_t j = 0; j < n_; ++j)
    for (int64_t c = 0; c < columns; ++c) parts[j * columns + c] *= weights[j];
  return combined(parts, columns);
}

std::vector<double> Spectrum::coordinates(const std::vector<double>& x, int64_t columns) const {
  std::vector<double> out(n_ * columns);
  blas::parallel_gemm(false, false, n_, columns, n_, 1.0, vectors_.data(), n_, x.data(), columns,
                      0.0, out.data(), columns);
  return out;
}

std::vector<double> Spectrum::combined(const std::vector<double>& x, int64_t columns) const {
  std::vector<double> out(n_ * columns);
  blas::parallel_gemm(true, false, n_, columns, n_, 1.0, vectors_.data(), n_, x.data(), columns,
                      0.0, out.data(), columns);
  return out;
}

std::vector<double> Spectrum::functions(const std::vector<double>& k, int64_t rows,
                                        int64_t count) const {
  std::vector<double> out(rows * count);
  blas::parallel_gemm(false, true, rows, count, n_, std::sqrt(static_cast<double>(n_)), k.data(),
                      n_, vectors_.data(), n_, 0.0, out.data(), count);
  for (int64_t i = 0; i < rows; ++i)
    for (int64_t j = 0; j < count; ++j) out[i * count + j] /= values_[j];
  return out;
}

std::vector<double> Spectrum::blocks(const std::vector<double>& weights, int64_t block,
                                     const Control& control) const {
  std::vector<double> out(static_cast<size_t>(n_ * block));
  // Several blocks at a time, so that the eigenvectors' numbers are read in runs.
  const int64_t together = std::max<int64_t>(1, 64 / block), count = n_ / block;
  parallel_for((count + together - 1) / together, 1, [&](int64_t begin, int64_t end) {
    for (int64_t piece = begin; piece < end; ++piece) {
      control.poll();
      const int64_t from = piece * together * block;
      const int64_t width = std::min(together * block, n_ - from);
      if (block == 1) {
        for (int64_t k = 0; k < n_; ++k)
          for (int64_t i = from; i < from + width; ++i) {
            const double v = vectors_[k * n_ + i];
            out[i] += weights[k] * v * v;
          }
        continue;
      }
      std::vector<double> left(static_cast<size_t>(n_ * width));
      for (int64_t k = 0; k < n_; ++k)
        for (int64_t i = 0; i < width; ++i)
          left[k * width + i] = weights[k] * vectors_[k * n_ + from + i];
      for (int64_t g = 0; g < width; g += block)
        blas::gemm(true, false, block, block, n_, 1.0, left.data() + g, width,
                   vectors_.data() + from + g, n_, 0.0, out.data() + (from + g) * block, block);
    }
  });
  return out;
}

EigenFactor::EigenFactor(std::shared_ptr<const Spectrum> spectrum, double shift)
    : shift_(shift), rank_(spectrum->rank()), spectrum_(std::move(spectrum)) {
  const std::vector<double>& values = spectrum_->values();
  for (int64_t j = 0; j < size(); ++j) {
    const double value = std::max(values[j], 0.0) + shift_;
    inverse_.push_back(shift_ > 0 || j < rank_ ? 1 / value : 0);
  }
}

Status EigenFactor::status() const {
  return shift_ > 0 || rank_ == size() ? Status::solved : Status::rank_deficient;
}

Statistics EigenFactor::statistics() const {
  Statistics out;
  const std::vector<double>& values = spectrum_->values();
  const double least = std::max(values.empty() ? 0 : values.back(), 0.0) + shift_;
  out.rank = rank_;
  out.condition = least > 0 ? (std::max(values[0], 0.0) + shift_) / least : INFINITY;
  return out;
}

Result<std::vector<double>> EigenFactor::solve(const std::vector<double>& b, int64_t columns,
                                               const Control&) const {
  return {spectrum_->filter(inverse_, b, columns), status(), statistics()};
}

Result<std::vector<double>> EigenFactor::inverse_blocks(int64_t block,
                                                        const Control& control) const {
  return {spectrum_->blocks(inverse_, block, control), status(), statistics()};
}

Result<Estimate> EigenFactor::log_determinant(const Control&) const {
  double sum = 0;
  for (double weight : inverse_) sum -= weight > 0 ? std::log(weight) : INFINITY;
  return {{sum, 0}, status(), statistics()};
}

Result<std::vector<double>> EigenFactor::sample(Gaussian gaussian, const std::vector<double>& z,
                                                int64_t columns, const Control&) const {
  std::vector<double> root;
  for (double weight : inverse_) {
    const double own = std::sqrt(weight);
    root.push_back(gaussian == Gaussian::precision || own == 0 ? own : 1 / own);
  }
  // A Gaussian with a singular covariance is one all the same.
  const Status found = gaussian == Gaussian::covariance ? Status::solved : status();
  return {spectrum_->filter(root, z, columns), found, statistics()};
}

double EigenFactor::inverse_trace() const {
  double sum = 0;
  for (double weight : inverse_) sum += weight;
  return sum;
}

RidgeErrors ridge_errors(const std::shared_ptr<const Spectrum>& spectrum,
                         const std::vector<double>& ridges, const std::vector<double>& y,
                         int64_t columns, int64_t group, const Control& control) {
  const double n = static_cast<double>(spectrum->size());
  RidgeErrors out;
  for (double ridge : ridges) {
    control.poll();
    const EigenFactor factor(spectrum, ridge);
    // 1 − H is ridge·(K + ridge)⁻¹, directly: no cancellation for small ridges.
    const double trace = ridge * factor.inverse_trace();
    double misfit = 0, loo = 0;
    std::vector<double> alpha = factor.solve(y, columns).value;
    for (double a : alpha) misfit += ridge * a * ridge * a;
    leave_out(factor, columns, group, alpha, control);
    for (double e : alpha) loo += e * e;
    out.gcv.push_back(misfit / n / ((trace / n) * (trace / n)));
    out.loo.push_back(loo / n);
  }
  return out;
}

}  // namespace at::linear
