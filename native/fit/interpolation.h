#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "core/control.h"
#include "linear/cholesky.h"

namespace at::fit {

// (K + ridge·I)⁻¹ for one adapted kernel. At ridge 0 rows that depend on others are left out, if
// their targets agree: K_M has the same null space for every M, so which they are is found once.
class RowSolver {
 public:
  // k (n × n), both triangles, is overwritten and must outlive this. `kept`: the independent rows,
  // empty for all of them; filled in when they turn out to be fewer. Throws Error("NUMERICAL") when
  // ridge 0 asks for an impossible interpolation.
  RowSolver(int64_t n, double* k, double ridge, const std::vector<double>& targets,
            std::vector<int64_t>* kept, const Control& control);
  bool ok() const { return factor_ && factor_->status() == linear::Status::solved; }
  double condition() const { return factor_->statistics().condition; }
  // alpha (n) solves (K + ridge·I) alpha = targets; fit (n) = K alpha.
  void solve(const std::vector<double>& targets, double* alpha, double* fit) const;

 private:
  void reduce(const std::vector<int64_t>& kept);

  int64_t n_;
  double* k_;
  std::vector<double> reduced_;   // the kernel of the kept rows
  std::vector<double> coupling_;  // (left out, kept) entries
  std::vector<int64_t> kept_, left_out_;
  std::unique_ptr<linear::CholeskyFactor> factor_;
};

}  // namespace at::fit
