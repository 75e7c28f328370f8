#include "device/driver.h"

#include <dlfcn.h>

namespace at::device {

namespace {

template <class F>
bool find(void* library, const char* name, F& function) {
  function = reinterpret_cast<F>(dlsym(library, name));
  return function != nullptr;
}

Driver ask() {
  Driver found;
  void* library = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
  if (!library) {
    found.why_not = "no NVIDIA driver is installed (libcuda.so.1 was not found)";
    return found;
  }
  int (*version)(int*);
  int (*start)(unsigned);
  int (*count)(int*);
  int (*get)(int*, int);
  int (*name)(char*, int, int);
  int (*memory)(size_t*, int);
  int (*attribute)(int*, int, int);
  const bool whole = find(library, "cuDriverGetVersion", version) &&
                     find(library, "cuInit", start) && find(library, "cuDeviceGetCount", count) &&
                     find(library, "cuDeviceGet", get) && find(library, "cuDeviceGetName", name) &&
                     find(library, "cuDeviceTotalMem_v2", memory) &&
                     find(library, "cuDeviceGetAttribute", attribute);
  if (!whole) {
    found.why_not = "the NVIDIA driver (libcuda.so.1) lacks functions that every driver has";
    return found;
  }
  version(&found.version);
  const int error = start(0);
  int cards = 0;
  if (error == 0) count(&cards);
  for (int k = 0; k < cards; ++k) {
    int card = 0;
    char text[256] = "";
    size_t bytes = 0;
    if (get(&card, k) != 0 || name(text, sizeof text, card) != 0 || memory(&bytes, card) != 0)
      continue;
    const auto fact = [&](int number) {
      int value = 0;
      return attribute(&value, number, card) == 0 ? value : 0;
    };
    // By the driver's numbers; clocks in kHz.
    found.cards.push_back(
        {text, bytes, fact(75), fact(76), fact(16), 1e3 * fact(13), 1e3 * fact(36), fact(37)});
  }
  constexpr int kNoDevice = 100;
  if (!found.cards.empty()) return found;
  found.why_not =
      error == 0 || error == kNoDevice
          ? "the NVIDIA driver finds no card"
          : "the NVIDIA driver does not start (its error " + std::to_string(error) + ")";
  return found;
}

}  // namespace

const Driver& driver() {
  static const Driver found = ask();
  return found;
}

}  // namespace at::device
