#pragma once

#include <cstdint>
#include <vector>

#include "core/control.h"

namespace at::fit {

// Gradient flow on ½(θ_j − z_j)² for every coordinate j of a kernel's eigenbasis,
// over-parameterised as θ_j = a_j b_j^D β_j with all factors trained (Li & Lin 2024; METHOD.md
// section 6): a_j(0) = √λ_j, b_j(0) = b_0, β_j(0) = 0. Depth 0 has no b.
struct FlowOptions {
  bool fixed = false;  // only β is trained: θ = (1 − exp(−λt)) z
  int64_t depth = 0;
  double start = 1;  // b_0
};

// One coordinate's flow as a function of β alone, which its conserved quantities allow:
// a² = λ + β², b² = b_0² + Dβ².
class FlowLaw {
 public:
  FlowLaw(double lambda, const FlowOptions& options);
  // a b^D, the root of the learned eigenvalue.
  double root(double beta) const;
  double theta(double beta) const { return root(beta) * beta; }
  // dθ/dβ
  double slope(double beta) const;
  // θ moves towards z at this rate: dθ/dt = (z − θ)·rate.
  double rate(double beta) const { return slope(beta) * root(beta); }

 private:
  double lambda_, start2_;
  int64_t depth_;
};

struct Flow {
  std::vector<double> theta;
  std::vector<double> roots;  // of the learned eigenvalues: θ = root · β; √λ where they are fixed
  // Largest |θ(β) − z(1 − e^{−s})| / |z|, which both are integrated: how exact the flow is.
  double drift = 0;
  double risk = 0;  // Stein's estimate, as below
};

// lambda and z (count), until `time`, which may be infinite: θ = z then, where λ > 0. Throws
// Error("NUMERICAL") if the steps do not get there.
Flow flow_at(const std::vector<double>& lambda, const std::vector<double>& z,
             const FlowOptions& options, double time, double epsilon, const Control& control = {});

// Stein's unbiased estimate of Σ (θ_j − θ*_j)² at each of the ascending times, for
// z = θ* + ε·noise: Σ (z − θ)² + 2ε² ∂θ/∂z − ε².
std::vector<double> flow_risks(const std::vector<double>& lambda, const std::vector<double>& z,
                               const FlowOptions& options, const std::vector<double>& times,
                               double epsilon, const Control& control = {});

}  // namespace at::fit
