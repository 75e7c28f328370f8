#include "fit/adapted_operator.h"

#include <algorithm>

#include "core/lapack.h"
#include "core/parallel.h"
#include "core/shape.h"
#include "linear/iterative.h"

namespace at::fit {

namespace {

constexpr double kTolerance = 1e-11;
constexpr int64_t kMaxIterations = 2000;

}  // namespace

void AdaptedOperator::apply(int64_t columns, const double* x, double* y,
                            const Control& control) const {
  const int64_t n = size();
  std::vector<double> column(static_cast<size_t>(n)), image(static_cast<size_t>(n)), b;
  for (int64_t c = 0; c < columns; ++c) {
    control.poll();
    for (int64_t r = 0; r < n; ++r) column[r] = x[r * columns + c];
    std::fill(image.begin(), image.end(), 0.0);
    for (size_t i = 0; i < features_.size(); ++i) {
      b.resize(static_cast<size_t>(features_[i]->size()));
      features_[i]->adjoint(column.data(), b.data());
      transforms_[i].apply(2, b.data());
      features_[i]->apply(b.data(), image.data());
    }
    for (int64_t r = 0; r < n; ++r) y[r * columns + c] = image[r];
  }
}

std::vector<double> AdaptedOperator::diagonal(const Control& control) const {
  const int64_t n = size();
  std::vector<double> squares(static_cast<size_t>(n));
  parallel_for(n, 1, [&](int64_t first, int64_t last) {
    std::vector<double> x;
    for (int64_t r = first; r < last; ++r) {
      control.poll();
      for (size_t i = 0; i < features_.size(); ++i) {
        const Features& block = *features_[i];
        x.resize(static_cast<size_t>(block.size()));
        block.row(r, x.data());
        if (!transforms_[i].is_identity()) transforms_[i].apply(1, x.data());
        squares[r] += lapack::dot(block.size(), x.data(), x.data());
      }
    }
  });
  return squares;
}

linear::Result<std::vector<double>> solve_by_products(const linear::Operator& kernel, double ridge,
                                                      const std::vector<double>& targets,
                                                      const std::vector<double>& alpha,
                                                      const std::vector<double>& omega,
                                                      const Control& control) {
  // As far as rounding lets it: the fit's objective sees what is left.
  const linear::IterativeOptions options{kTolerance, kMaxIterations, kMaxIterations};
  const linear::IterativeFactor factor(kernel, ridge, omega, options, control);
  return factor.solve(targets, 1, alpha, control);
}

size_t product_bytes(int64_t rows, int64_t size) {
  return sizeof(double) *
         static_cast<size_t>(checked_add(checked_mul(rows, 4 * kSketchRank + 8), 3 * size));
}

}  // namespace at::fit
