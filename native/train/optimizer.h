#pragma once

#include <cstdint>

#include "device/stream.h"

namespace at {

// As PyTorch defines them. Sgd: v ← momentum·v + g + decay·w, w ← w − rate·v. Adam (Kingma & Ba
// 2015) adds decay·w to g; AdamW (Loshchilov & Hutter 2019) shrinks w by rate·decay instead.
struct Optimizer {
  enum class Kind { kSgd, kAdam, kAdamW };
  Kind kind = Kind::kSgd;
  double momentum = 0;
  double decay = 0;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-8;

  int moments() const { return kind == Kind::kSgd ? 1 : 2; }
  // Step number `step` (from 1) of `count` weights and their moments, in place, with gradient g.
  // Uses the threads of the surrounding arena. `second` is read by Adam only.
  void step(int64_t count, float* w, const float* g, float* first, float* second, double rate,
            int64_t step) const;
  // The same in a device's memory.
  void step(device::Stream& stream, const device::Buffer<float>& w, const device::Buffer<float>& g,
            const device::Buffer<float>& first, const device::Buffer<float>& second, double rate,
            int64_t step) const;
};

}  // namespace at
