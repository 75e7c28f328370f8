#include "core/wider.h"

#ifdef AT_WIDER
#include <cpuid.h>
#endif

namespace at {

#ifdef AT_WIDER
namespace {

// The compilers' own __builtin_cpu_supports needs a symbol that the packages' runtime lacks.
bool look() {
  constexpr unsigned kFma = 1u << 12, kSaves = 1u << 27, kAvx2 = 1u << 5;
  constexpr unsigned kRegisters = 6;  // that the system saves those of AVX
  unsigned a = 0, b = 0, c = 0, d = 0;
  if (!__get_cpuid(1, &a, &b, &c, &d) || (c & kFma) == 0 || (c & kSaves) == 0) return false;
  unsigned low = 0, high = 0;
  __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  if ((low & kRegisters) != kRegisters) return false;
  return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b & kAvx2) != 0;
}

}  // namespace

bool has_wider() {
  static const bool known = look();
  return known;
}
#else
bool has_wider() { return false; }
#endif

}  // namespace at
