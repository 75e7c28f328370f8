#pragma once

#include <cstdint>
#include <vector>

#include "core/control.h"
#include "linear/factor.h"
#include "linear/operator.h"

namespace at::linear {

// Cholesky of the symmetric n × n matrix a over the threads of the surrounding arena: overwrites
// the lower triangle and diagonal with L, a = L Lᵀ, and leaves the strict upper triangle alone.
// Returns 0, or the 1-based order of the first leading minor that is not positive. The bits do not
// depend on the number of threads.
int64_t cholesky(int64_t n, double* a, const Control& control = {});

// x ← (L Lᵀ)⁻¹ x for x (n × columns).
void cholesky_solve(int64_t n, int64_t columns, const double* l, double* x);

// (smallest / largest)² of L's diagonal: a cheap, optimistic reciprocal of the condition number.
double reciprocal_condition(const std::vector<double>& diagonal);
// What else that diagonal tells, of a factor and of log det L Lᵀ.
Statistics statistics_of(Status status, const std::vector<double>& diagonal);
double log_determinant(const std::vector<double>& diagonal);

// L Lᵀ = A + shift·I in the lower triangle of the memory that holds A in its upper one.
class CholeskyFactor final : public Factor, public Operator {
 public:
  // Of a matrix (n × n) that is checked (check_symmetric) and consumed.
  CholeskyFactor(int64_t n, std::vector<double> a, double shift, const Control& control);
  // Of a matrix (n × n) whose upper triangle counts; it is overwritten as by cholesky() and must
  // outlive this.
  CholeskyFactor(int64_t n, double* a, double shift, const Control& control);
  CholeskyFactor(const CholeskyFactor&) = delete;
  CholeskyFactor& operator=(const CholeskyFactor&) = delete;

  int64_t size() const override { return n_; }
  Status status() const override { return status_; }
  Statistics statistics() const override;
  // With one step of iterative refinement.
  Result<std::vector<double>> solve(const std::vector<double>& b, int64_t columns,
                                    const Control& control = {}) const override;
  Result<std::vector<double>> inverse_blocks(int64_t block,
                                             const Control& control = {}) const override;
  Result<Estimate> log_determinant(const Control& control = {}) const override;
  Result<std::vector<double>> sample(Gaussian gaussian, const std::vector<double>& z,
                                     int64_t columns, const Control& control = {}) const override;

  // A itself, as it came.
  void apply(int64_t columns, const double* x, double* y, const Control& control) const override;
  std::vector<double> diagonal(const Control& control = {}) const override { return diagonal_; }

  double reciprocal_condition() const;

 private:
  void shifted(double shift, int64_t columns, const double* x, double* y) const;

  int64_t n_;
  std::vector<double> own_;
  double* a_;
  double shift_;
  std::vector<double> diagonal_;  // of A
  std::vector<double> root_;      // of L, as a_ has it
  Status status_ = Status::solved;
};

}  // namespace at::linear
