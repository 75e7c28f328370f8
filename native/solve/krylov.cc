#include "solve/krylov.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "core/error.h"
#include "core/lapack.h"
#include "core/parallel.h"

namespace at::solve {

namespace {

// Numbers of a vector that stay in a core's cache while the basis passes by.
constexpr int64_t kPiece = 4096;

double dot(const std::vector<double>& a, const std::vector<double>& b) {
  return lapack::dot(static_cast<int64_t>(a.size()), a.data(), b.data());
}

double norm(const std::vector<double>& a) { return std::sqrt(dot(a, a)); }

void add(int64_t count, double factor, const double* __restrict x, double* __restrict y) {
  for (int64_t i = 0; i < count; ++i) y[i] += factor * x[i];
}

}  // namespace

KrylovBasis::Step KrylovBasis::extend(std::vector<double> q, std::vector<double> image) {
  for (double x : image)
    if (!std::isfinite(x)) throw Error("BAD_INPUT", "Expected finite products with the kernel");
  Step step;
  step.along = dot(q, image);
  step.size = norm(image);
  vectors_.push_back(std::move(q));
  step.rest = std::move(image);
  // In exact arithmetic that is all; what rounding leaves is small beside the rest then.
  project(step.rest, vectors_.size() - std::min<size_t>(2, vectors_.size()));
  step.length = orthogonalise(step.rest);
  return step;
}

// Again where much was taken away; twice is enough (Giraud et al. 2005).
double KrylovBasis::orthogonalise(std::vector<double>& v) const {
  const double before = norm(v);
  project(v, 0);
  double after = norm(v);
  if (after >= std::sqrt(0.5) * before) return after;
  project(v, 0);
  return norm(v);
}

void KrylovBasis::project(std::vector<double>& v, size_t first) const {
  const auto count = static_cast<int64_t>(vectors_.size() - first);
  std::vector<double> along(vectors_.size() - first);
  parallel_for(count, grain_for(n_), [&](int64_t begin, int64_t end) {
    for (int64_t k = begin; k < end; ++k)
      along[k] = dot(vectors_[first + static_cast<size_t>(k)], v);
  });
  parallel_for(n_, std::max(kPiece, grain_for(count)), [&](int64_t begin, int64_t end) {
    for (int64_t from = begin; from < end; from += kPiece) {
      const int64_t piece = std::min(kPiece, end - from);
      for (int64_t k = 0; k < count; ++k)
        add(piece, -along[k], vectors_[first + static_cast<size_t>(k)].data() + from,
            v.data() + from);
    }
  });
}

std::vector<double> KrylovBasis::combine(const std::vector<double>& coefficients,
                                         int64_t count) const {
  std::vector<double> result(static_cast<size_t>(count * n_));
  parallel_for(count, 1, [&](int64_t begin, int64_t end) {
    for (int64_t j = begin; j < end; ++j)
      for (int64_t k = 0; k < size(); ++k)
        add(n_, coefficients[j * size() + k], vectors_[static_cast<size_t>(k)].data(),
            result.data() + j * n_);
  });
  return result;
}

}  // namespace at::solve
