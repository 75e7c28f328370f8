#pragma once

#include <cstdint>
#include <vector>

#include "core/control.h"
#include "fit/features.h"
#include "fit/transform.h"
#include "linear/operator.h"
#include "linear/status.h"

namespace at::fit {

// The adapted kernel K_M = Σ_blocks X M² Xᵀ (rows × rows) without being formed: a product is one
// adjoint and one product of the features. Both must outlive this.
class AdaptedOperator final : public linear::Operator {
 public:
  AdaptedOperator(const FeatureSet& features, const std::vector<Transform>& transforms)
      : features_(features), transforms_(transforms) {}
  int64_t size() const override { return features_.at(0)->rows(); }
  void apply(int64_t columns, const double* x, double* y, const Control& control) const override;
  std::vector<double> diagonal(const Control& control) const override;

 private:
  const FeatureSet& features_;
  const std::vector<Transform>& transforms_;
};

// alpha (rows) ← (K_M + ridge·I)⁻¹ targets by conjugate gradients, from the alpha given. omega
// (rows, rank): standard normal numbers for the preconditioner. ridge > 0. The same inputs give the
// same bits.
linear::Result<std::vector<double>> solve_by_products(const linear::Operator& kernel, double ridge,
                                                      const std::vector<double>& targets,
                                                      const std::vector<double>& alpha,
                                                      const std::vector<double>& omega,
                                                      const Control& control);

// Rank of the preconditioner: it costs as many products, and about as many are then saved.
constexpr int64_t kSketchRank = 60;

// Bytes that solve_by_products takes, omega's included, for B of `size` numbers.
size_t product_bytes(int64_t rows, int64_t size);

}  // namespace at::fit
