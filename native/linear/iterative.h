#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "core/control.h"
#include "linear/factor.h"
#include "linear/nystrom.h"
#include "linear/operator.h"

namespace at::linear {

struct IterativeOptions {
  double tolerance = 1e-10;  // on ‖b − (A + shift·I) x‖ / ‖b‖
  int64_t iterations = 1000;
  // Ends after so many iterations without a smaller residual: rounding hides what is left.
  int64_t patience = 50;
};

// Preconditioned conjugate gradients for (A + shift·I) x = b, one product after another: whoever
// owns A multiplies next() by it and gives the result to take(), until nothing is next. Several
// columns advance together.
class ConjugateGradients {
 public:
  // b (n, columns). x starts at 0, or at `start` with its product A·start, both (n, columns).
  ConjugateGradients(int64_t n, double shift, const std::vector<double>& b, int64_t columns,
                     std::shared_ptr<const Nystrom> preconditioner, IterativeOptions options);
  void start(const std::vector<double>& x, const std::vector<double>& image);

  // Columns that still need a product, and they themselves, (n, width).
  int64_t width() const { return static_cast<int64_t>(open_.size()); }
  std::vector<double> next() const;
  // A times next(). Throws BAD_INPUT when it is not finite.
  void take(const std::vector<double>& image);
  // The largest of all columns, as the recurrence has it.
  double residual() const;
  int64_t iterations() const { return iterations_; }
  // x (n, columns) as it is now.
  Result<std::vector<double>> solution() const;
  // A x, (n, columns): b less the residual and shift·x.
  std::vector<double> image() const;

 private:
  struct Column {
    std::vector<double> b, x, rest, direction;
    double scale = 0, along = 0, residual = 0, best = 0;
    int64_t since_best = 0;
    Status status = Status::converged;
  };
  void direct(Column& column, bool first) const;
  void step(Column& column, const std::vector<double>& image) const;
  void look();
  std::vector<double> rows(std::vector<double> Column::* part) const;

  int64_t n_;
  double shift_;
  std::shared_ptr<const Nystrom> preconditioner_;
  IterativeOptions options_;
  std::vector<Column> columns_;
  std::vector<size_t> open_;  // those that are not finished
  int64_t iterations_ = 0, products_ = 0;
};

// A + shift·I by products with A alone.
class IterativeFactor final : public Factor {
 public:
  // shift > 0. omega (n, rank): standard normal numbers for the preconditioner and for estimates,
  // none for rank 0. a and omega must outlive this.
  IterativeFactor(const Operator& a, double shift, const std::vector<double>& omega,
                  IterativeOptions options, const Control& control);

  int64_t size() const override { return a_.size(); }
  Status status() const override { return Status::converged; }
  Statistics statistics() const override;
  Result<std::vector<double>> solve(const std::vector<double>& b, int64_t columns,
                                    const Control& control = {}) const override;
  // The same from x (n, columns), near the solution.
  Result<std::vector<double>> solve(const std::vector<double>& b, int64_t columns,
                                    const std::vector<double>& x, const Control& control) const;
  // n solutions, some at a time.
  Result<std::vector<double>> inverse_blocks(int64_t block,
                                             const Control& control = {}) const override;
  // By stochastic Lanczos quadrature (Ubaru, Chen & Saad 2017) of the columns of omega, two or
  // more.
  Result<Estimate> log_determinant(const Control& control = {}) const override;
  // With the symmetric root, in the Krylov space of each column.
  Result<std::vector<double>> sample(Gaussian gaussian, const std::vector<double>& z,
                                     int64_t columns, const Control& control = {}) const override;

 private:
  const Operator& a_;
  double shift_;
  const std::vector<double>& omega_;
  int64_t rank_;
  IterativeOptions options_;
  std::shared_ptr<const Nystrom> preconditioner_;
};

}  // namespace at::linear
