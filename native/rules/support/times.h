#pragma once

namespace at {
inline namespace AT_PRECISION {

// What flows through a local derivative d from a cotangent or tangent g: nothing where nothing
// comes, even if d is infinite or no number at all.
inline Real times(Real d, Real g) {
  const Real product = d * g;
  return g == 0 ? Real(0.0) : product;
}

// The same of an operator that selects (d = 0: not this one): nothing flows to what it left out,
// even if g is infinite or no number at all.
inline Real times_selected(Real d, Real g) {
  const Real product = d * g;
  return ((g == 0) | (d == 0)) ? Real(0.0) : product;
}

template <bool selects>
Real times_as(Real d, Real g) {
  return selects ? times_selected(d, g) : times(d, g);
}

}  // namespace AT_PRECISION
}  // namespace at
