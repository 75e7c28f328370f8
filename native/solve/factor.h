#pragma once

#include <cstdint>
#include <vector>

#include "core/control.h"
#include "solve/cholesky.h"

namespace at::solve {

// Throws BAD_INPUT for a matrix k (n × n) that is not finite, or is not symmetric to five digits.
void check_kernel(int64_t n, const std::vector<double>& k);

// Residuals of the rows J of each group when the model is fitted without that group, exactly:
// y_J − f_{−J}(x_J) = (A_JJ)⁻¹ α_J with A = (K + ridge·I)⁻¹ and α = A y (METHOD.md, section 8).
// Groups are `size` rows that follow each other. `blocks` (n / size, size, size) holds the A_JJ and
// is overwritten; alpha (n × columns) becomes the residuals.
void leave_out(int64_t n, int64_t size, double* blocks, int64_t columns, double* alpha);

// K + ridge·I of a symmetric positive semidefinite kernel K, factored once: everything about linear
// models of K at this ridge. Results do not depend on the number of threads of the arena.
class KernelFactor {
 public:
  // k (n × n) is consumed. Check status() first.
  KernelFactor(int64_t n, std::vector<double> k, double ridge, const Control& control);

  int64_t n() const { return n_; }
  // 0, or the order of the leading minor that is not positive; nothing else may be asked then.
  int64_t status() const { return solver_.status(); }
  // A lower estimate of the condition number.
  double condition() const;
  double log_determinant() const;
  // (K + ridge·I)⁻¹ b for b (n × columns), with one step of iterative refinement.
  std::vector<double> solve(const std::vector<double>& b, int64_t columns) const;
  // The diagonal blocks of the inverse, (n / size, size, size); n is a multiple of size.
  std::vector<double> inverse_blocks(int64_t size, const Control& control = {}) const;

 private:
  int64_t n_;
  std::vector<double> k_;
  SymmetricSolver solver_;
};

}  // namespace at::solve
