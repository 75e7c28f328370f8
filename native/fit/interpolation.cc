#include "fit/interpolation.h"

#include <algorithm>
#include <cfloat>
#include <cmath>
#include <cstdio>
#include <string>

#include "core/error.h"
#include "core/lapack.h"

namespace at::fit {

namespace {

// A target that differs from what the other rows imply by more than this contradicts them
// (relative to the largest target).
constexpr double kContradiction = 1e-6;
// Float32 features leave duplicates apart by their rounding; below this share of the largest
// diagonal entry a pivot is dependent.
double rank_tolerance(int64_t n, double largest) {
  return std::max<double>(100, static_cast<double>(n)) * DBL_EPSILON * largest;
}

// Least ridge, in steps of ten, at which the fixed model solves its equations and its contradiction
// costs no more than this many times its own penalty: below, the objective is mostly what no model
// can fit, and rounding of that hides the rest.
constexpr double kContradictionShare = 1e3;

double least_ridge(int64_t n, const double* k, const std::vector<double>& targets) {
  double trace = 0;
  for (int64_t i = 0; i < n; ++i) trace += k[i * n + i];
  // Adapted kernels are larger than K: room for a thousandfold and two digits of their own.
  double ridge = std::pow(10, std::ceil(std::log10(1e5 * DBL_EPSILON * trace)));
  std::vector<double> copy;
  for (; ridge < trace; ridge *= 10) {
    copy.assign(k, k + n * n);
    const linear::CholeskyFactor factor(n, copy.data(), ridge, Control());
    if (factor.status() == linear::Status::not_positive) continue;
    const std::vector<double> alpha = factor.solve(targets, 1).value;
    double misfit = 0, penalty = 0;
    for (int64_t i = 0; i < n; ++i) {
      misfit += ridge * ridge * alpha[i] * alpha[i];
      penalty += alpha[i] * (targets[i] - ridge * alpha[i]);
    }
    if (misfit <= kContradictionShare * ridge * penalty) break;
  }
  return ridge;
}

std::string number(double x) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1e", x);
  return text;
}

}  // namespace

RowSolver::RowSolver(int64_t n, double* k, double ridge, const std::vector<double>& targets,
                     std::vector<int64_t>* kept, const Control& control)
    : n_(n), k_(k) {
  if (!kept->empty()) {
    reduce(*kept);
  } else {
    double largest = 0;
    for (int64_t i = 0; i < n; ++i) largest = std::max(largest, k[i * n + i]);
    factor_ = std::make_unique<linear::CholeskyFactor>(n, k, ridge, control);
    const bool doubtful =
        !ok() || factor_->reciprocal_condition() * largest <= rank_tolerance(n, largest);
    if (ridge > 0 || !doubtful) return;
    // K again, from its upper triangle.
    const std::vector<double> diagonal = factor_->diagonal();
    for (int64_t i = 0; i < n; ++i) {
      k[i * n + i] = diagonal[i];
      for (int64_t j = 0; j < i; ++j) k[i * n + j] = k[j * n + i];
    }
    factor_.reset();
    std::vector<int> pivots(n);
    const int64_t rank = [&] {
      std::vector<double> copy(k, k + n * n);
      return lapack::pivoted_cholesky(n, copy.data(), n, rank_tolerance(n, largest), pivots.data());
    }();
    if (rank == n) {
      factor_ = std::make_unique<linear::CholeskyFactor>(n, k, ridge, control);
      return;
    }
    std::vector<int64_t> rows(pivots.begin(), pivots.begin() + rank);
    std::sort(rows.begin(), rows.end());
    reduce(rows);
    if (rank > 0 && !ok()) return;
    std::vector<double> alpha(n), fit(n);
    solve(targets, alpha.data(), fit.data());
    double scale = 0, miss = 0;
    int64_t worst = 0;
    for (int64_t r = 0; r < n; ++r) {
      scale = std::max(scale, std::abs(targets[r]));
      if (std::abs(targets[r] - fit[r]) > miss) {
        miss = std::abs(targets[r] - fit[r]);
        worst = r;
      }
    }
    if (miss > kContradiction * scale) {
      throw Error("NUMERICAL", "Exact interpolation (ridge 0) is impossible: the features of the " +
                                   std::to_string(n) + " rows have rank " + std::to_string(rank) +
                                   ", and the target of row " + std::to_string(worst) +
                                   " contradicts the others by " + number(miss) +
                                   "; use a ridge of at least " +
                                   number(least_ridge(n, k, targets)));
    }
    *kept = rows;
  }
}

void RowSolver::reduce(const std::vector<int64_t>& kept) {
  kept_ = kept;
  left_out_.clear();
  for (int64_t r = 0, next = 0; r < n_; ++r) {
    if (next < static_cast<int64_t>(kept.size()) && kept[next] == r)
      ++next;
    else
      left_out_.push_back(r);
  }
  const int64_t q = static_cast<int64_t>(kept.size());
  reduced_.resize(q * q);
  for (int64_t i = 0; i < q; ++i)
    for (int64_t j = 0; j < q; ++j) reduced_[i * q + j] = k_[kept[i] * n_ + kept[j]];
  coupling_.resize(left_out_.size() * q);
  for (size_t i = 0; i < left_out_.size(); ++i)
    for (int64_t j = 0; j < q; ++j) coupling_[i * q + j] = k_[left_out_[i] * n_ + kept[j]];
  factor_ = std::make_unique<linear::CholeskyFactor>(q, reduced_.data(), 0, Control());
}

void RowSolver::solve(const std::vector<double>& targets, double* alpha, double* fit) const {
  if (kept_.empty() && left_out_.empty()) {
    const std::vector<double> found = factor_->solve(targets, 1).value;
    std::copy(found.begin(), found.end(), alpha);
    factor_->apply(1, alpha, fit, Control());
    return;
  }
  const int64_t q = static_cast<int64_t>(kept_.size());
  std::vector<double> r(q), image(q), others(left_out_.size());
  for (int64_t i = 0; i < q; ++i) r[i] = targets[kept_[i]];
  const std::vector<double> a = factor_->solve(r, 1).value;
  factor_->apply(1, a.data(), image.data(), Control());
  lapack::product(false, static_cast<int64_t>(left_out_.size()), q, 1, coupling_.data(), q,
                  a.data(), 0, others.data());
  std::fill_n(alpha, n_, 0.0);
  for (int64_t i = 0; i < q; ++i) {
    alpha[kept_[i]] = a[i];
    fit[kept_[i]] = image[i];
  }
  for (size_t i = 0; i < left_out_.size(); ++i) fit[left_out_[i]] = others[i];
}

}  // namespace at::fit
