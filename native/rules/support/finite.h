#pragma once

#include <cstdint>

#include "core/real.h"

namespace at {
inline namespace AT_PRECISION {

// Are all numbers finite?
bool all_finite(const Real* values, int64_t count);

// multiply() makes results of values in a way that gives what is not finite to results that should
// not have it: true where nothing is, or else the results have to be made in another way. Looks at
// those that are fewer.
template <class Multiply>
bool finitely(const Multiply& multiply, const Real* values, int64_t count, const Real* results,
              int64_t made) {
  const bool before = count <= made;
  if (before && !all_finite(values, count)) return false;
  multiply();
  return before || all_finite(results, made);
}

// The largest magnitude; not finite where any number is not.
Real largest(const Real* values, int64_t count);

}  // namespace AT_PRECISION
}  // namespace at
