#include "device/precision.h"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace at::device {

bool ProductSample::takes_next() {
  constexpr int64_t kFirst = 16, kEvery = 64, kMost = 1024;
  const int64_t number = seen_++;
  return (number < kFirst || number % kEvery == 0) && taken_ < kMost;
}

ProductSample::Part& ProductSample::add(int64_t count) {
  ++taken_;
  const std::vector<float> none(static_cast<size_t>(count), 0.0f);
  parts_.push_back({none, none});
  return parts_.back();
}

const MeasuredError& ProductSample::measure() {
  for (const Part& part : parts_) {
    double off = 0, norm = 0;
    for (size_t e = 0; e < part.float32.size(); ++e) {
      const double exact = part.float32[e];
      off += (part.tf32[e] - exact) * (part.tf32[e] - exact);
      norm += exact * exact;
    }
    // Zeros tell nothing, and what was given up stays so.
    if (norm == 0) continue;
    ++error_.sampled;
    error_.largest = std::max(error_.largest, std::sqrt(off / norm));
  }
  parts_.clear();
  return error_;
}

float rounded_to_tf32(float number) {
  if (!std::isfinite(number)) return number;
  uint32_t bits;
  std::memcpy(&bits, &number, sizeof bits);
  // Half of the last bit that is kept: ties go away from zero.
  bits = (bits + 0x1000u) & ~0x1fffu;
  std::memcpy(&number, &bits, sizeof bits);
  return number;
}

}  // namespace at::device
