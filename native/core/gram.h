#pragma once

#include <cstdint>

namespace at {

// c (m × m, its lower triangle, at distance ldc) = alpha·a·aᵀ + beta·c for a (m × k) of few long
// rows, which are read where they lie: BLAS would copy every number of them twice, for m products
// each. k is taken in stretches, the same for any m.
void narrow_gram(int64_t m, int64_t k, float alpha, const float* a, int64_t lda, float beta,
                 float* c, int64_t ldc);

// Are they few enough, and long enough?
inline bool is_narrow_gram(int64_t m, int64_t k) { return m <= 64 && k >= 512; }

}  // namespace at
