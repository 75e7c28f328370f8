#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>

namespace at::fit {

// Dormand & Prince 1980, orders 5 and 4. The last row of the nodes' weights is also the solution of
// order 5.
namespace dopri {
constexpr double kAt[7] = {0, 1.0 / 5, 3.0 / 10, 4.0 / 5, 8.0 / 9, 1, 1};
constexpr double kWeights[6][6] = {
    {1.0 / 5},
    {3.0 / 40, 9.0 / 40},
    {44.0 / 45, -56.0 / 15, 32.0 / 9},
    {19372.0 / 6561, -25360.0 / 2187, 64448.0 / 6561, -212.0 / 729},
    {9017.0 / 3168, -355.0 / 33, 46732.0 / 5247, 49.0 / 176, -5103.0 / 18656},
    {35.0 / 384, 0, 500.0 / 1113, 125.0 / 192, -2187.0 / 6784, 11.0 / 84}};
constexpr double kError[7] = {71.0 / 57600,      0,          -71.0 / 16695, 71.0 / 1920,
                              -17253.0 / 339200, 22.0 / 525, -1.0 / 40};
}  // namespace dopri

// A step of h from `now` at t of dy/dt = slope(t, y), for few numbers; @returns the error's
// estimate.
template <size_t N, class Slope>
std::array<double, N> dormand_prince(const Slope& slope, double t, const std::array<double, N>& now,
                                     double h, std::array<double, N>& next) {
  std::array<double, N> k[7], error{};
  k[0] = slope(t, now);
  for (int stage = 0; stage < 6; ++stage) {
    next = now;
    for (int i = 0; i <= stage; ++i)
      for (size_t n = 0; n < N; ++n) next[n] += h * dopri::kWeights[stage][i] * k[i][n];
    k[stage + 1] = slope(t + h * dopri::kAt[stage + 1], next);
  }
  for (int i = 0; i < 7; ++i)
    for (size_t n = 0; n < N; ++n) error[n] += h * dopri::kError[i] * k[i][n];
  return error;
}

// By what the next step is longer, after one whose error was `ratio` times what is allowed.
inline double step_factor(double ratio) {
  return ratio > 0 ? std::clamp(0.9 * std::pow(ratio, -0.2), 0.2, 5.0) : 5;
}

}  // namespace at::fit
