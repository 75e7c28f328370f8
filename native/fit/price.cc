#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "core/parallel.h"
#include "fit/adapted_operator.h"
#include "fit/adaptive.h"
#include "linear/cholesky.h"

// What adapting costs, and the units in which a fit is computed.
namespace at::fit {

namespace {

// The reference ridge, as a share of the mean of K's diagonal.
constexpr double kReference = 0.01;

}  // namespace

void AdaptiveFit::set_price(double price, bool relative, const Control& control) {
  if (started_) throw Error("BAD_ARGUMENT", "The price comes before the first iteration");
  if (!(price > 0) || !std::isfinite(price))
    throw Error("BAD_ARGUMENT", "Expected a price above 0");
  const double scale = relative ? fixed_scale(control) : 1;
  // Where the fixed solution is zero nothing adapts at any price.
  set_unit(std::sqrt(price) * (scale > 0 ? scale : 1));
}

void AdaptiveFit::set_unit(double unit) {
  unit_ = unit;
  for (int64_t r = 0; r < rows_; ++r) residual_[r] = targets_[r] / unit;
}

// σ₁ of the fixed solution at the reference ridge.
double AdaptiveFit::fixed_scale(const Control& control) {
  if (std::none_of(rules_.begin(), rules_.end(), [](const auto& rule) { return rule.adaptive(); }))
    return 0;
  double largest = 0;
  for (double r : targets_) largest = std::max(largest, std::abs(r));
  if (largest == 0) return 0;
  std::vector<double> r(targets_);
  for (double& x : r) x /= largest;
  const std::vector<double> alpha = fixed_dual(r, control);
  if (alpha.empty()) return 0;
  std::vector<double> scales(rules_.size());
  each_block([&](int64_t i) {
    control.poll();
    if (!rules_[i].adaptive()) return;
    std::vector<double> b(static_cast<size_t>(rules_[i].size()));
    adjoint(i, alpha, b.data());
    scales[i] = largest_value(rules_[i], b.data(), stream());
  });
  return largest * *std::max_element(scales.begin(), scales.end());
}

std::vector<double> AdaptiveFit::fixed_dual(const std::vector<double>& r, const Control& control) {
  std::vector<Transform> identity;
  for (const BlockRule& rule : rules_) identity.push_back(rule.identity());
  const auto ridge_for = [&](double trace) {
    if (!std::isfinite(trace)) throw Error("BAD_INPUT", "Expected finite features");
    return kReference * trace / static_cast<double>(rows_);
  };
  if (options_.products) {
    const AdaptedOperator kernel(features_, identity);
    double trace = 0;
    for (double square : kernel.diagonal(control)) trace += square;
    const double ridge = ridge_for(trace);
    if (!(ridge > 0)) return {};
    return solve_by_products(kernel, ridge, r, {}, options_.sketch, control).value;
  }
  double trace = 0;
  const auto add = [&](int64_t row, double value) {
    check_diagonal(row, value);
    trace += value;
  };
  double* k = static_cast<double*>(kernel_.data());
  if (device_) {
    const std::vector<double> diagonal = device_->build(identity, control);
    for (int64_t i = 0; i < rows_; ++i) add(i, diagonal[i]);
  } else {
    builder_->builder.build(identity, k, control);
    for (int64_t i = 0; i < rows_; ++i) add(i, k[i * rows_ + i]);
  }
  const double ridge = ridge_for(trace);
  if (!(ridge > 0)) return {};
  std::unique_ptr<linear::Factor> factor;
  if (device_)
    factor = device_->factor(ridge);
  else
    factor = std::make_unique<linear::CholeskyFactor>(rows_, k, ridge, control);
  if (factor->status() == linear::Status::not_positive)
    throw Error("NUMERICAL", "The kernel is not positive semidefinite in double precision");
  return factor->solve(r, 1, control).value;
}

std::vector<double> AdaptiveFit::scaled(std::vector<double>::const_iterator first,
                                        std::vector<double>::const_iterator last) const {
  std::vector<double> out(first, last);
  for (double& x : out) x *= unit_;
  return out;
}

Iteration AdaptiveFit::last() const {
  Iteration out = last_;
  for (double* x : {&out.objective, &out.penalty, &out.misfit}) *x = *x * unit_ * unit_;
  return out;
}

std::vector<double> AdaptiveFit::solution() const {
  return scaled(x_.begin(), x_.empty() ? x_.begin() : x_.begin() + size_);
}

std::vector<double> AdaptiveFit::fit() const {
  return scaled(x_.empty() ? x_.begin() : x_.begin() + size_, x_.end());
}

std::vector<double> AdaptiveFit::solution(size_t block) const {
  if (x_.empty()) return {};
  const auto first = x_.begin() + offsets_[block];
  return scaled(first, first + rules_[block].size());
}

Shaped AdaptiveFit::described(size_t block) const {
  Shaped out = shaped_[block];
  if (!x_.empty() && rules_[block].structure == Structure::matrix)
    out =
        shape(rules_[block], x_.data() + offsets_[block], out.transform, Accuracy::full, stream());
  out.penalty = out.penalty * unit_ * unit_;
  for (double& v : out.singular) v *= unit_;
  return out;
}

}  // namespace at::fit
