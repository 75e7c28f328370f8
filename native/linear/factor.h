#pragma once

#include <cstdint>
#include <vector>

#include "core/control.h"
#include "linear/status.h"

namespace at::linear {

// Which Gaussian is drawn from: with covariance A + shift·I, or its inverse.
enum class Gaussian { covariance, precision };

// A + shift·I of a symmetric positive semidefinite A (n × n), prepared once: everything that linear
// models and Gaussian processes of A ask at this shift (METHOD.md, section 8). Its ways are
//   CholeskyFactor   n³/3 once, n² a column: the fastest where the matrix is stored
//   EigenFactor      about 9n³ once for all shifts; goes down to shift 0 by the pseudo-inverse
//   IterativeFactor  products with A only, nothing of size n²
// Where status() is not_positive nothing else may be asked. Results do not depend on the number of
// threads of the arena.
class Factor {
 public:
  virtual ~Factor() = default;

  virtual int64_t size() const = 0;
  virtual Status status() const = 0;
  virtual Statistics statistics() const = 0;

  // (A + shift·I)⁻¹ b for b (n, columns).
  virtual Result<std::vector<double>> solve(const std::vector<double>& b, int64_t columns,
                                            const Control& control = {}) const = 0;
  // The diagonal blocks of the inverse, (n / block, block, block); n is a multiple of block.
  virtual Result<std::vector<double>> inverse_blocks(int64_t block,
                                                     const Control& control = {}) const = 0;
  // log det (A + shift·I)
  virtual Result<Estimate> log_determinant(const Control& control = {}) const = 0;
  // Draws from a Gaussian of mean 0, (n, columns), made of standard normal z (n, columns).
  virtual Result<std::vector<double>> sample(Gaussian gaussian, const std::vector<double>& z,
                                             int64_t columns,
                                             const Control& control = {}) const = 0;
};

// Throws BAD_INPUT for a matrix a (n × n) that is not finite, or is not symmetric to five digits.
void check_symmetric(int64_t n, const std::vector<double>& a);

// Residuals of the rows J of each group when the model is fitted without that group, exactly:
// y_J − f_{−J}(x_J) = (A_JJ)⁻¹ α_J with A = (K + ridge·I)⁻¹ and α = A y (METHOD.md, section 8).
// Groups are `group` rows that follow each other; alpha (n, columns) becomes the residuals.
void leave_out(const Factor& factor, int64_t columns, int64_t group, std::vector<double>& alpha,
               const Control& control = {});

}  // namespace at::linear
