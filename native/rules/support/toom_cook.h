#pragma once

#include "rules/support/quick.h"

namespace at {
inline namespace AT_PRECISION {

// Correlations along one axis with fewer products: four neighbouring outputs of four taps take 7
// instead of 16 (Toom and Cook's interpolation at 0, ±1, ±1/2, −2 and ∞; A. Lavin and S. Gray, Fast
// algorithms for convolutional neural networks, 2016). Its largest rounding error is three to
// nine times that of the plain sum, two to three in the mean. More taps are added up four at a
// time.

// Is the correlation of that kind, and large enough to gain by it?
bool toom_cook_pays(const Correlation& g);

// As correlate() with one set of weights and beta 0, of finite numbers.
void correlate_toom_cook(const Correlation& g, const Real* x, int64_t images, const Real* w,
                         Real* out);

// With all threads, in `room` for toom_cook_room() numbers.
void multiply_toom_cook(const Correlation& g, const StackedProduct& product, Real* room);
int64_t toom_cook_room(const Correlation& g, int64_t stacked);

}  // namespace AT_PRECISION
}  // namespace at
