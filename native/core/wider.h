#pragma once

namespace at {

// Has the processor the instructions that wider() compiles for, and those of widest()?
bool has_wider();
bool has_widest();

#if defined(__x86_64__) && defined(__GNUC__)
#define AT_WIDER __attribute__((target("avx2,fma"), flatten, noinline))
template <class Body>
AT_WIDER void run_wider(const Body& body) {
  body();
}
#define AT_WIDEST __attribute__((target("avx512f,avx512vl,avx512dq,avx2,fma"), flatten, noinline))
template <class Body>
AT_WIDEST void run_widest(const Body& body) {
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

// The same for AVX-512, of which it tells whether the processor has it.
template <class Body>
bool widest(const Body& body) {
#ifdef AT_WIDEST
  if (has_widest()) {
    run_widest(body);
    return true;
  }
#endif
  return false;
}

}  // namespace at
