#pragma once

#include <cstdint>

#include "core/control.h"

namespace at::solve {

// Cholesky of the symmetric n × n matrix a over the threads of the surrounding arena: overwrites
// the lower triangle and diagonal with L, a = L Lᵀ, and leaves the strict upper triangle alone.
// Returns 0, or the 1-based order of the first leading minor that is not positive. The bits do not
// depend on the number of threads.
int64_t cholesky(int64_t n, double* a, const Control& control = {});

// x ← (L Lᵀ)⁻¹ x for x (n × columns).
void cholesky_solve(int64_t n, int64_t columns, const double* l, double* x);

// A symmetric positive matrix with its factor, solved with one step of iterative refinement.
class SymmetricSolver {
 public:
  // a (n × n), whose upper triangle holds the matrix, is overwritten as by cholesky() and must
  // outlive this; `diagonal_shift` is added to the diagonal first.
  // status(): 0, or the order of the leading minor that is not positive.
  SymmetricSolver(int64_t n, double* a, double diagonal_shift, const Control& control);
  ~SymmetricSolver();
  SymmetricSolver(const SymmetricSolver&) = delete;
  SymmetricSolver& operator=(const SymmetricSolver&) = delete;
  int64_t status() const { return status_; }
  double diagonal(int64_t i) const { return diagonal_[i]; }
  // (smallest / largest)² of L's diagonal: a cheap, optimistic reciprocal of the condition number.
  double reciprocal_condition() const;
  // x (n × columns) ← A⁻¹ b (n × columns).
  void solve(int64_t columns, const double* b, double* x) const;
  // y (n) = (A − shift·I) x: the product with the matrix as it came.
  void multiply(const double* x, double* y) const;

 private:
  void shifted(const double* x, double* y, double diagonal) const;
  int64_t n_;
  double* a_;
  double shift_;
  double* diagonal_;
  int64_t status_;
};

}  // namespace at::solve
