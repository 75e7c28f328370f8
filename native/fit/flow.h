#pragma once

#include <cstdint>
#include <vector>

#include "core/control.h"

namespace at::fit {

// Gradient flow on ½(θ_j − z_j)² for every coordinate j of a kernel's eigenbasis,
// over-parameterised as θ_j = a_j b_j^D β_j with all factors trained (Li & Lin 2024; METHOD.md
// section 6): a_j(0) = √λ_j, b_j(0) = b_0, β_j(0) = 0. Depth 0 has no b.
struct FlowOptions {
  int64_t depth = 0;
  double start = 1;  // b_0
  double time = 0;
};

struct Flow {
  std::vector<double> theta;
  std::vector<double> values;  // the learned eigenvalues' roots a b^D: θ = values · β
  // Largest relative drift of the conserved a² − β² and b² − D a² over all coordinates.
  double drift = 0;
  int64_t steps = 0;
};

// lambda and z (count). Dormand–Prince 5(4) with error control to about 1e-11; a coordinate that
// has reached z to rounding is finished. Throws Error("NUMERICAL") if the steps do not get there.
Flow adaptive_flow(const std::vector<double>& lambda, const std::vector<double>& z,
                   const FlowOptions& options, const Control& control = {});

}  // namespace at::fit
