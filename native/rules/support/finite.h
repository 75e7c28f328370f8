#pragma once

#include <cstdint>

#include "core/real.h"

namespace at {
inline namespace AT_PRECISION {

// Are all numbers finite?
bool all_finite(const Real* values, int64_t count);

}  // namespace AT_PRECISION
}  // namespace at
