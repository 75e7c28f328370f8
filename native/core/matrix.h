#pragma once

#include <cstdint>

namespace at {

// How a parameter is used as a matrix: its features are X[i,c,g] (m × k) = Σ_t δ[i,g,t,c,:] ⊗
// h[i,g,t,:], for G groups and T positions.
struct MatrixDims {
  int64_t groups = 1;     // G
  int64_t positions = 1;  // T
  int64_t rows = 1;       // m
  int64_t cols = 1;       // k
  bool transposed = false;
  // h[i,t,:] holds a single 1, G = 1 (rows of an embedding): where, is told in its place.
  bool picks = false;
  // Of δ's numbers, those that may be other than 0, as far as the graph tells.
  double share = 1;
};

}  // namespace at
