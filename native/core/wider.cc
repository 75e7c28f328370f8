#include "core/wider.h"

#ifdef AT_WIDER
#include <cpuid.h>
#endif

namespace at {

#ifdef AT_WIDER
namespace {

// The compilers' own __builtin_cpu_supports needs a symbol that the packages' runtime lacks.
// @param features of leaf 7; registers: those that the system has to save.
bool look(unsigned features, unsigned registers) {
  constexpr unsigned kFma = 1u << 12, kSaves = 1u << 27;
  unsigned a = 0, b = 0, c = 0, d = 0;
  if (!__get_cpuid(1, &a, &b, &c, &d) || (c & kFma) == 0 || (c & kSaves) == 0) return false;
  unsigned low = 0, high = 0;
  __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  if ((low & registers) != registers) return false;
  return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b & features) == features;
}

constexpr unsigned kAvx2 = 1u << 5, kAvx512 = 1u << 16 | 1u << 17 | 1u << 31;  // F, DQ, VL
constexpr unsigned kRegisters = 0x06, kWideRegisters = 0xe6;

}  // namespace

bool has_wider() {
  static const bool known = look(kAvx2, kRegisters);
  return known;
}
bool has_widest() {
  static const bool known = look(kAvx2 | kAvx512, kWideRegisters);
  return known;
}
#else
bool has_wider() { return false; }
bool has_widest() { return false; }
#endif

}  // namespace at
