#pragma once

#include <cstdint>

#include "core/real.h"

namespace at {
inline namespace AT_PRECISION {

// Are all numbers finite?
bool all_finite(const Real* values, int64_t count);

// The largest magnitude; not finite where any number is not.
Real largest(const Real* values, int64_t count);

}  // namespace AT_PRECISION
}  // namespace at
