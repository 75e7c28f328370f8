#pragma once

#include <cstdint>
#include <vector>

#include "kernels/triangle.h"

namespace at::kernels {

// Which rows of a matrix samples pick: the entries of sample i are those from starts[i] to
// starts[i + 1].
struct Picked {
  std::vector<int64_t> starts;   // n + 1
  std::vector<int64_t> columns;  // per entry
};

// Features of samples as one side of a kernel, C components (rows of the kernel) each: dense, in
// factors X[i,c] (m × k) = Σ_t δ[i,t,c,:] ⊗ h[i,t,:], as picked rows, or as picked rows and
// factors.
template <class Number>
struct Side {
  // x (samples, C, size).
  static Side dense(const Number* x, int64_t C, int64_t size) {
    Side side;
    side.C = C;
    side.x = x;
    side.x_sample = C * size;
    side.size = size;
    return side;
  }
  bool factored() const { return delta || known_delta; }

  int64_t C = 1;
  // Dense: component c of sample i at x + i·x_sample + c·size.
  const Number* x = nullptr;
  int64_t x_sample = 0;
  int64_t size = 0;
  // Factored: δ[i,t,c] (m) at delta + (i·T + t)·delta_place + c·m; h[i,t] (k) at h + (i·T + t)·k.
  const Number* delta = nullptr;
  int64_t delta_place = 0;
  const Number* h = nullptr;
  int64_t T = 1, m = 1, k = 1;
  // Where T = 1 and both sides are one: inner products of the δ or of the h that are known already,
  // to which those of the factors above are added.
  const Triangle<Number>* known_delta = nullptr;
  const Triangle<Number>* known_h = nullptr;
  // Method::kMixed: where this side is the left one, the other's factors are multiplied out.
  bool mixed = false;
  // Picked rows: those of a sample at an entry, (C, width), at picked + entry·picked_place. They
  // may come with factors, of the same matrix or, crosswise, of its transpose, whose δ has
  // `stacked` outputs in it.
  const Picked* picks = nullptr;
  const Number* picked = nullptr;
  int64_t picked_place = 0, width = 0;
  bool crosswise = false;
  int64_t stacked = 1;
};

}  // namespace at::kernels
