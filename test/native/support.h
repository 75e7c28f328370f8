#pragma once

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "core/error.h"

namespace at::test {

// Numbers for the tests: splitmix64 (Steele, Lea and Flood 2014) and the Box-Muller transform,
// which share nothing with the generators of the package.
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}
  uint64_t bits() {
    uint64_t z = state_ += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
  }
  int64_t below(int64_t count) {
    return static_cast<int64_t>(bits() % static_cast<uint64_t>(count));
  }
  // In (0, 1).
  double uniform() { return (static_cast<double>(bits() >> 11) + 0.5) * 0x1p-53; }
  double normal() {
    return std::sqrt(-2 * std::log(uniform())) * std::cos(6.283185307179586 * uniform());
  }
  template <class T = double>
  std::vector<T> normals(int64_t count) {
    std::vector<T> numbers(static_cast<size_t>(count));
    for (T& number : numbers) number = static_cast<T>(normal());
    return numbers;
  }

 private:
  uint64_t state_;
};

// Checks that no number differs from the truth by more than `tolerance` of the truth's largest
// entry, and tells the worst one. NaN is equal to NaN only.
template <class T, class U>
void near(const std::vector<T>& found, const std::vector<U>& truth, double tolerance) {
  REQUIRE_EQ(found.size(), truth.size());
  double largest = 0, worst = 0;
  size_t at = 0;
  for (size_t i = 0; i < truth.size(); ++i) {
    const double u = static_cast<double>(found[i]), v = static_cast<double>(truth[i]);
    if (std::isfinite(v)) largest = std::max(largest, std::abs(v));
    if (u == v || (std::isnan(u) && std::isnan(v))) continue;
    const double gap = std::isfinite(u - v) ? std::abs(u - v) : INFINITY;
    if (gap > worst) worst = gap, at = i;
  }
  if (truth.empty()) return;
  CHECK_MESSAGE(worst <= tolerance * largest, "most off at [", at, "]: ", found[at], " instead of ",
                truth[at], ", ", worst / largest, " of the largest entry (tolerance ", tolerance,
                ")");
}

// The code of the Error that `work` throws; "" when it throws none.
template <class Work>
std::string code_of(Work&& work) {
  try {
    work();
  } catch (const Error& error) {
    return error.code();
  }
  return "";
}

}  // namespace at::test
