#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/control.h"
#include "fit/flow.h"

namespace at::fit {

// Diagonal over-parameterisation on samples (Li & Lin 2025, arXiv 2501.08679): f = Σ_j θ_j e_j with
// θ_j = a_j b_j^D β_j, all trained by gradient flow on ½ mean_i (y_i − f(x_i))², which couples the
// coordinates; at the start a_j = √λ_j, b_j = b_0, β_j = 0.
struct CoordinateProblem {
  int64_t samples = 0, count = 0;
  std::vector<double> functions;  // (samples, count): e_j(x_i)
  std::vector<double> y, lambda;
  FlowOptions options;
  // Where products with the functions are made, as open_stream() takes it, and bytes of its memory.
  std::string device = "cpu";
  size_t memory = SIZE_MAX;
};

struct CoordinateFlow {
  std::vector<double> theta, roots;  // (count), as in flow.h
  std::vector<double> fit;           // (samples)
  double time = 0;
  // (times): the mean squared error of samples left out, averaged over all of them; infinite where
  // a fold's flow had ended before.
  std::vector<double> errors;
};

// Until the one of the ascending `times` with the least error of samples left out: those of each
// of the `folds` (0 … folds − 1 for each sample) in turn. A fold's flow ends where its error is
// twice its least, or too many steps are needed. Without folds until the last time.
CoordinateFlow coordinate_flow(const CoordinateProblem& problem, const std::vector<double>& times,
                               const std::vector<int>& fold, int folds,
                               const Control& control = {});

}  // namespace at::fit
