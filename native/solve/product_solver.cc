#include "solve/product_solver.h"

#include <algorithm>
#include <cmath>
#include <random>

#include "core/blas.h"
#include "core/lapack.h"
#include "core/shape.h"
#include "solve/spectral.h"

namespace at::solve {

namespace {

// Rank of the preconditioner: it costs as many products, and about as many are then saved.
constexpr int64_t kRank = 60;
constexpr double kTolerance = 1e-11;
constexpr int64_t kMaxIterations = 2000;
constexpr uint64_t kSeed = 20240611;

double norm(const std::vector<double>& x) {
  return std::sqrt(lapack::dot(static_cast<int64_t>(x.size()), x.data(), x.data()));
}

// (count) standard normal numbers, the same on every platform.
std::vector<double> gaussians(int64_t count) {
  std::mt19937_64 random(kSeed);
  const auto uniform = [&] { return (static_cast<double>(random() >> 11) + 0.5) * 0x1p-53; };
  std::vector<double> out(count);
  for (double& x : out) {
    const double radius = std::sqrt(-2 * std::log(uniform()));
    x = radius * std::cos(2 * 3.14159265358979323846 * uniform());
  }
  return out;
}

class Preconditioner {
 public:
  Preconditioner(const FeatureSet& features, const std::vector<Transform>& transforms, double ridge,
                 const Control& control)
      : rows_(features.at(0)->rows()), ridge_(ridge) {
    const int64_t rank = std::min(kRank, rows_);
    const std::vector<double> omega = gaussians(rows_ * rank);
    std::vector<double> y(rows_ * rank), x(rows_), image(rows_);
    for (int64_t c = 0; c < rank; ++c) {
      control.poll();
      for (int64_t r = 0; r < rows_; ++r) x[r] = omega[r * rank + c];
      adapted_product(features, transforms, x.data(), image.data());
      for (int64_t r = 0; r < rows_; ++r) y[r * rank + c] = image[r];
    }
    approximation_ = nystrom(rows_, rank, omega, std::move(y));
  }

  double largest() const {
    return approximation_.values.empty() ? 0 : approximation_.values.front();
  }

  // z = P⁻¹ x
  void apply(const std::vector<double>& x, std::vector<double>& z) const {
    const auto& [u, values] = approximation_;
    const auto rank = static_cast<int64_t>(values.size());
    z = x;
    if (rank == 0) return;
    std::vector<double> parts(rank);
    lapack::product(true, rows_, rank, 1, u.data(), rank, x.data(), 0, parts.data());
    const double least = std::max(values.back(), 0.0) + ridge_;
    for (int64_t j = 0; j < rank; ++j) parts[j] *= least / (std::max(values[j], 0.0) + ridge_) - 1;
    lapack::product(false, rows_, rank, 1, u.data(), rank, parts.data(), 1, z.data());
  }

 private:
  int64_t rows_;
  double ridge_;
  Nystrom approximation_;
};

}  // namespace

void adapted_product(const FeatureSet& features, const std::vector<Transform>& transforms,
                     const double* x, double* y) {
  std::fill_n(y, features.at(0)->rows(), 0.0);
  std::vector<double> b;
  for (size_t i = 0; i < features.size(); ++i) {
    b.resize(features[i]->size());
    features[i]->adjoint(x, b.data());
    transforms[i].apply(2, b.data());
    features[i]->apply(b.data(), y);
  }
}

ProductSolution solve_by_products(const FeatureSet& features,
                                  const std::vector<Transform>& transforms, double ridge,
                                  const std::vector<double>& targets, std::vector<double>& alpha,
                                  const Control& control) {
  const int64_t n = features.at(0)->rows();
  const Preconditioner preconditioner(features, transforms, ridge, control);
  const auto multiply = [&](const std::vector<double>& x, std::vector<double>& y) {
    control.poll();
    adapted_product(features, transforms, x.data(), y.data());
    for (int64_t r = 0; r < n; ++r) y[r] += ridge * x[r];
  };
  ProductSolution out;
  out.condition = (preconditioner.largest() + ridge) / ridge;
  const double scale = norm(targets);
  alpha.resize(n, 0.0);
  std::vector<double> image(n), rest(targets), z(n), direction(n);
  if (scale == 0) {
    std::fill(alpha.begin(), alpha.end(), 0.0);
    return out;
  }
  multiply(alpha, image);
  for (int64_t r = 0; r < n; ++r) rest[r] -= image[r];
  preconditioner.apply(rest, z);
  direction = z;
  double along = lapack::dot(n, rest.data(), z.data());
  while ((out.residual = norm(rest) / scale) > kTolerance && out.iterations < kMaxIterations) {
    multiply(direction, image);
    const double curvature = lapack::dot(n, direction.data(), image.data());
    if (!(curvature > 0)) break;
    const double length = along / curvature;
    for (int64_t r = 0; r < n; ++r) {
      alpha[r] += length * direction[r];
      rest[r] -= length * image[r];
    }
    preconditioner.apply(rest, z);
    const double next = lapack::dot(n, rest.data(), z.data());
    for (int64_t r = 0; r < n; ++r) direction[r] = z[r] + next / along * direction[r];
    along = next;
    ++out.iterations;
  }
  return out;
}

size_t product_bytes(int64_t rows, int64_t size) {
  return sizeof(double) *
         static_cast<size_t>(checked_add(checked_mul(rows, 4 * kRank + 8), 3 * size));
}

}  // namespace at::solve
