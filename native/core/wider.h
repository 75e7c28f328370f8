#pragma once

namespace at {

// Has the processor the instructions that wider() compiles for?
bool has_wider();

#if defined(__x86_64__) && defined(__GNUC__)
#define AT_WIDER __attribute__((target("avx2,fma"), flatten, noinline))
template <class Body>
AT_WIDER void run_wider(const Body& body) {
  body();
}
#endif

// Runs body(), loops over numbers side by side, compiled for AVX2 and FMA as well: builds are for
// plain x86-64. What it calls is inlined, so that it should be little.
template <class Body>
void wider(const Body& body) {
#ifdef AT_WIDER
  if (has_wider()) return run_wider(body);
#endif
  body();
}

}  // namespace at
