#pragma once

#include "reverse/sink.h"

namespace at {
inline namespace AT_PRECISION {

// Features of a matrix use, expanded. Element (mm, kk) of group g of cotangent c of sample i is
// written to result[i·sample_stride + c·count_stride + …], the rest in the order that the
// parameter is stored in: (G, m, k), or (G, k, m) when transposed.
void expand_matrix(const MatrixUse& use, int64_t sample_stride, int64_t count_stride, Real* result);
// Do the factors, where they are small compared with what they expand to, tell that none of it can
// be but finite?
bool expands_to_finite(const MatrixUse& use);
// Adds a use that picks to what is there, which need not be all of it: only those elements that it
// has anything for are touched.
void add_picks(const MatrixUse& use, int64_t sample_stride, int64_t count_stride, Real* result);
// The same for its bias, Σ_t δ[i,0,t,c,:] (m).
void expand_bias(const MatrixUse& use, int64_t sample_stride, int64_t count_stride, Real* result);

}  // namespace AT_PRECISION
}  // namespace at
