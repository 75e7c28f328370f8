#pragma once

#include <cstdint>
#include <vector>

#include "core/control.h"
#include "solve/features.h"
#include "solve/transform.h"

namespace at::solve {

// K_M x = Σ_blocks X M² Xᵀ x for x (rows), without the kernel: one adjoint and one product of the
// features.
void adapted_product(const FeatureSet& features, const std::vector<Transform>& transforms,
                     const double* x, double* y);

struct ProductSolution {
  int64_t iterations = 0;
  double residual = 0;   // ‖targets − (K_M + ridge·I) alpha‖ / ‖targets‖
  double condition = 0;  // of K_M + ridge·I, a lower estimate
};

// (K_M + ridge·I) alpha = targets by conjugate gradients with a randomised Nyström preconditioner
// (Frangella, Tropp & Udell 2021), from the alpha (rows) given. ridge > 0. Holds `rank` vectors of
// as many numbers as there are rows; the same inputs give the same bits.
ProductSolution solve_by_products(const FeatureSet& features,
                                  const std::vector<Transform>& transforms, double ridge,
                                  const std::vector<double>& targets, std::vector<double>& alpha,
                                  const Control& control);

// Bytes that solve_by_products allocates, for B of `size` numbers.
size_t product_bytes(int64_t rows, int64_t size);

}  // namespace at::solve
