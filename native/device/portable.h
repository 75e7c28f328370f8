#pragma once

#include <cstdint>

// What is compiled for the host and, by nvcc, for the card as well. Such files know neither the
// standard library's containers nor the graph.
#ifdef __CUDACC__
#define AT_PORTABLE __host__ __device__ __forceinline__
#else
#define AT_PORTABLE inline __attribute__((always_inline))
#endif

namespace at::device {

// The larger of two numbers; NaN where one of them is.
AT_PORTABLE double larger(double a, double b) { return a != a || a > b ? a : b; }

// n / divisor for 0 ≤ n < 2^31 by a multiplication (Granlund and Montgomery 1994): a division takes
// a card some twenty instructions, one in 64 bits a hundred.
class Divider {
 public:
  Divider() = default;
  explicit Divider(int64_t divisor) : divisor_(static_cast<uint32_t>(divisor)) {
    while ((uint64_t{1} << shift_) < divisor_) ++shift_;
    const uint64_t power = uint64_t{1} << 32;
    factor_ = static_cast<uint32_t>(power * ((uint64_t{1} << shift_) - divisor_) / divisor_ + 1);
  }
  AT_PORTABLE uint32_t quotient(uint32_t n) const {
    const uint64_t high = (static_cast<uint64_t>(n) * factor_) >> 32;
    return static_cast<uint32_t>((high + n) >> shift_);
  }
  AT_PORTABLE int64_t divisor() const { return divisor_; }
  AT_PORTABLE uint32_t remainder(uint32_t n) const { return n - quotient(n) * divisor_; }

 private:
  uint32_t divisor_ = 1, factor_ = 1, shift_ = 0;
};

}  // namespace at::device
