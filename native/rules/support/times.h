#pragma once

namespace at {

// What flows through a local derivative d from a cotangent or tangent g: nothing where nothing
// comes, even if d is infinite or no number at all.
inline float times(float d, float g) {
  const float product = d * g;
  return g == 0 ? 0.0f : product;
}

// The same of an operator that selects (d = 0: not this one): nothing flows to what it left out,
// even if g is infinite or no number at all.
inline float times_selected(float d, float g) {
  const float product = d * g;
  return ((g == 0) | (d == 0)) ? 0.0f : product;
}

template <bool selects>
float times_as(float d, float g) {
  return selects ? times_selected(d, g) : times(d, g);
}

}  // namespace at
