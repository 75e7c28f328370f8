#pragma once

#include <cstdint>
#include <vector>

#include "device/stream.h"

namespace at::linear {

// Thin singular value decomposition of b (m × k): u (m × r), s descending, vt (r × k).
struct Decomposition {
  std::vector<double> u, s, vt;
};

// By LAPACK, or on a device where there is a stream, to its accuracy.
Decomposition decompose(int64_t m, int64_t k, const double* b, device::Stream* stream = nullptr);

// From the eigenvectors of the smaller Gram matrix, in a fraction of the time. σ² is off by about
// ε·σ₁², so values below 1e-8·σ₁ and their vectors on the longer side mean little; a vanishing
// value's vector there is zero.
Decomposition decompose_by_gram(int64_t m, int64_t k, const double* b,
                                device::Stream* stream = nullptr);

}  // namespace at::linear
