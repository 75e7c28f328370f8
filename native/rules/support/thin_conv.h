#pragma once

#include "rules/support/correlation.h"

namespace at {
inline namespace AT_PRECISION {

// Convolutions whose cotangent has few numbers that are not 0 (core/thin.h), one position of the
// input's patches after another, and none that no such number sees.

// Are those of out (planes, G·m, out…) so few, and each patch large enough?
bool thin_pays(const Correlation& g, const Real* out, int64_t planes);

// to (m, k) += the products of rows (m, out…) and the patches of x (c, in…).
void add_thin_product(const Correlation& g, const PatchProduct::Image& image, Real* to);

// x (planes, G·c, in…) = the adjoint for out (planes, G·m, out…) under the weights w (G·m, k).
void spread_thin(const Correlation& g, const Real* out, int64_t planes, const Real* w, Real* x);

}  // namespace AT_PRECISION
}  // namespace at
