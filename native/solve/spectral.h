#pragma once

#include <cstdint>
#include <vector>

#include "core/control.h"

namespace at::solve {

// K = Σ_j λ_j v_j v_jᵀ of a symmetric positive semidefinite n × n kernel, found once; everything
// about linear models of K then costs products only.
class KernelSpectrum {
 public:
  // k (n × n) is consumed.
  KernelSpectrum(int64_t n, std::vector<double> k);
  int64_t n() const { return n_; }
  // Descending.
  const std::vector<double>& values() const { return values_; }
  // Row j belongs to values()[j].
  const std::vector<double>& vectors() const { return vectors_; }

  // (n, columns) = V diag(weights) Vᵀ x, x (n, columns).
  std::vector<double> filter(const std::vector<double>& weights, const std::vector<double>& x,
                             int64_t columns) const;

  // For kernel ridge regression of y (n, columns) at each ridge above 0: generalised
  // cross-validation, (1/n)‖(I − H) y‖² / (1 − tr H / n)² with H = K (K + ridge I)⁻¹, and the
  // squared error of leaving out each group of `group` rows that follow each other (factor.h), per
  // row.
  struct Errors {
    std::vector<double> gcv, loo;
  };
  Errors errors(const std::vector<double>& ridges, const std::vector<double>& y, int64_t columns,
                int64_t group, const Control& control = {}) const;

 private:
  // The diagonal blocks of V diag(weights) Vᵀ, group after group.
  std::vector<double> blocks(const std::vector<double>& weights, int64_t group) const;

  int64_t n_;
  std::vector<double> values_, vectors_;
};

// The randomised Nyström approximation of a positive semidefinite operator from its products
// y = K ω with a Gaussian ω (n, q), as a preconditioner (Frangella, Tropp, Udell 2021):
// K ≈ U diag(values) Uᵀ, u (n, r) with orthonormal columns, values descending.
struct Nystrom {
  std::vector<double> u, values;
};
Nystrom nystrom(int64_t n, int64_t q, const std::vector<double>& omega, std::vector<double> y);

}  // namespace at::solve
