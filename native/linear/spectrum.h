#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "core/control.h"
#include "device/stream.h"
#include "linear/factor.h"

namespace at::linear {

// A = Σ_j λ_j v_j v_jᵀ of a symmetric n × n matrix, found once; everything about linear models of
// it then costs products only.
class Spectrum {
 public:
  // a (n × n) is consumed; only its lower triangle counts. Without `vectors` there are only values.
  // With a stream its device finds them.
  Spectrum(int64_t n, std::vector<double> a, bool vectors = true, device::Stream* stream = nullptr);
  int64_t size() const { return n_; }
  // Descending.
  const std::vector<double>& values() const { return values_; }
  // Row j belongs to values()[j].
  const std::vector<double>& vectors() const { return vectors_; }
  // Eigenvalues that are not zero but for rounding.
  int64_t rank() const;
  double effective_rank() const;

  // (n, columns) = V diag(weights) Vᵀ x, x (n, columns).
  std::vector<double> filter(const std::vector<double>& weights, const std::vector<double>& x,
                             int64_t columns) const;
  // (n, columns) = Vᵀ x, row j belonging to values()[j]; and V x.
  std::vector<double> coordinates(const std::vector<double>& x, int64_t columns) const;
  std::vector<double> combined(const std::vector<double>& x, int64_t columns) const;
  // The first `count` eigenfunctions √n·k(x, X) v_j / λ_j at other samples, of mean square 1 on the
  // n ones, from k (rows, n): (rows, count).
  std::vector<double> functions(const std::vector<double>& k, int64_t rows, int64_t count) const;
  // The diagonal blocks of V diag(weights) Vᵀ, (n / block, block, block).
  std::vector<double> blocks(const std::vector<double>& weights, int64_t block,
                             const Control& control) const;

 private:
  int64_t n_;
  std::vector<double> values_, vectors_;
};

// exp of the entropy of the positive eigenvalues over their sum (Roy & Vetterli 2007).
double effective_rank(const std::vector<double>& values);

// A + shift·I by the eigenvectors of A, which all shifts share. Eigenvalues below 0 count as 0. At
// shift 0 all but log_determinant are those of the pseudo-inverse.
class EigenFactor final : public Factor {
 public:
  EigenFactor(std::shared_ptr<const Spectrum> spectrum, double shift);

  int64_t size() const override { return spectrum_->size(); }
  Status status() const override;
  Statistics statistics() const override;
  Result<std::vector<double>> solve(const std::vector<double>& b, int64_t columns,
                                    const Control& control = {}) const override;
  Result<std::vector<double>> inverse_blocks(int64_t block,
                                             const Control& control = {}) const override;
  Result<Estimate> log_determinant(const Control& control = {}) const override;
  // With the symmetric root.
  Result<std::vector<double>> sample(Gaussian gaussian, const std::vector<double>& z,
                                     int64_t columns, const Control& control = {}) const override;
  // tr (A + shift·I)⁻¹
  double inverse_trace() const;

 private:
  double shift_;
  int64_t rank_;
  std::shared_ptr<const Spectrum> spectrum_;
  std::vector<double> inverse_;  // 1 / (λ_j + shift), or 0
};

// For kernel ridge regression of y (n, columns) at each ridge above 0: generalised
// cross-validation, (1/n)‖(I − H) y‖² / (1 − tr H / n)² with H = K (K + ridge I)⁻¹, and the
// squared error of leaving out each group of `group` rows that follow each other (factor.h), per
// row.
struct RidgeErrors {
  std::vector<double> gcv, loo;
};
RidgeErrors ridge_errors(const std::shared_ptr<const Spectrum>& spectrum,
                         const std::vector<double>& ridges, const std::vector<double>& y,
                         int64_t columns, int64_t group, const Control& control = {});

}  // namespace at::linear
