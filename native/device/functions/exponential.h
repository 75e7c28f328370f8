#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>

#include "device/portable.h"

namespace at::device {

// exp(x). On the host, in float, without a branch or a call, so that loops over it are vectorised:
// within two units of the last place, down to the smallest denormal number. Cody and Waite's
// reduction, Cephes' polynomial.
AT_PORTABLE double exponential(double x) { return std::exp(x); }

AT_PORTABLE float exponential(float x) {
#ifdef __CUDACC__
  return std::exp(x);
#else
  // What is no number stays so.
  x = x < -104 ? -104 : x;
  x = x > 89 ? 89 : x;
  constexpr float kRound = 12582912;  // 1.5·2²³: adding it rounds to an integer
  const float shifted = x * 1.44269504088896341f + kRound;
  const float n = shifted - kRound;
  const float r = (x - n * 0.693359375f) + n * 2.12194440e-4f;
  float p = 1.9875691500e-4f;
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = (p * r * r + r) + 1;
  // Times 2ⁿ in two steps, each within the range of a float.
  uint32_t bits;
  std::memcpy(&bits, &shifted, sizeof bits);
  const uint32_t power = bits - 0x4B400000u + 254, half = power >> 1;
  const uint32_t first = half << 23, second = (power - half) << 23;
  float a, b;
  std::memcpy(&a, &first, sizeof a);
  std::memcpy(&b, &second, sizeof b);
  return p * a * b;
#endif
}

}  // namespace at::device
