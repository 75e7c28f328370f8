#pragma once

// The derivatives are compiled twice: in float, and with AT_DOUBLE in double for networks whose
// float32 numbers are not accurate enough. What depends on the precision lives in an inline
// namespace of its own, so that both fit into one addon.
#ifdef AT_DOUBLE
#define AT_PRECISION f64
#else
#define AT_PRECISION f32
#endif

namespace at {
inline namespace AT_PRECISION {
#ifdef AT_DOUBLE
using Real = double;
#else
using Real = float;
#endif
}  // namespace AT_PRECISION
}  // namespace at
