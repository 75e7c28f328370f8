#pragma once

#include <cstdint>
#include <vector>

#include "core/control.h"
#include "linear/operator.h"

namespace at::linear {

// The randomised Nyström approximation A ≈ U diag(values) Uᵀ of a positive semidefinite operator
// from its products y = A ω with a Gaussian ω (n, rank), and the preconditioner that it makes for
// A + shift·I (Frangella, Tropp & Udell 2021):
//   P⁻¹ = (λ_rank + shift) U (Λ + shift)⁻¹ Uᵀ + (I − U Uᵀ)
class Nystrom {
 public:
  // Of rank 0: P is the identity.
  explicit Nystrom(int64_t n) : n_(n) {}
  // omega and y (n, rank), 1 ≤ rank ≤ n. Throws NUMERICAL when A is not positive semidefinite.
  Nystrom(int64_t n, int64_t rank, const std::vector<double>& omega, std::vector<double> y);
  // With products made here.
  Nystrom(const Operator& a, int64_t rank, const std::vector<double>& omega,
          const Control& control);

  int64_t rank() const { return static_cast<int64_t>(values_.size()); }
  // Descending.
  const std::vector<double>& values() const { return values_; }
  // z (n) = P⁻¹ x
  void apply(double shift, const double* x, double* z) const;

 private:
  int64_t n_;
  std::vector<double> u_, values_;  // u (n, rank), orthonormal columns
};

}  // namespace at::linear
