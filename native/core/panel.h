#pragma once

#include <cstdint>

namespace at {

// c (m × n) = a·b, or aᵀ·b, of matrices that are read where they lie: a's number (i, t) is at
// i·row + t·place, b (k × n) and c have rows at distances ldb and ldc. Of a wide a and a b that
// stays in the cache BLAS would copy every number before it multiplies.
struct Panel {
  int64_t m, n, k;
  const float* a;
  int64_t row, place;
  const float* b;
  int64_t ldb;
  float* c;
  int64_t ldc;
  bool adds;  // to what c holds

  // Is there a kernel for this processor, and does it gain?
  bool pays() const;
  void run() const;
  // The same past the caches, for a c that is larger than they are and is not added to; where its
  // rows do not begin at cache lines as run().
  void run_past() const;
};

}  // namespace at
