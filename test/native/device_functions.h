#pragma once

#include "device/pointer.h"

// Functions that only tests ask devices to run; device_functions.cu has them for cards.
namespace at::test {

using device::Ref;

// out[r] = Σ_e x[r, e].
struct RowSum {
  static constexpr int kBytes = sizeof(float);
  Ref<const float> x;
  Ref<float> out;
  int64_t length;
  struct Row {
    const float* x;
    float* out;
    AT_PORTABLE double term(int64_t e) const { return static_cast<double>(x[e]); }
    AT_PORTABLE void put(double sum) const { *out = static_cast<float>(sum); }
  };
  AT_PORTABLE Row row(int64_t r) const { return {x + r * length, out + r}; }
};

}  // namespace at::test
