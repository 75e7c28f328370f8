#pragma once

#include <vector>

#include "rules/support/windows.h"

namespace at {
inline namespace AT_PRECISION {

// Y (images, G·m, out…) = W (G·m, c, kernel…) over X (images, G·c, in…).
struct Correlation {
  int64_t groups, m, channels;
  Windows windows;

  int64_t k() const { return channels * windows.kernel_size(); }
  // The adjoint, where every stride is 1; its weights are turned().
  Correlation adjoint() const { return {groups, channels, m, windows.turned()}; }
  // w as the adjoint takes it: (G·c, m, kernel… backwards).
  void turn(const Real* w, Real* to) const;
};

// Which of the images, `count` in a value (images, …), are each sample's.
std::vector<std::vector<int64_t>> images_by_sample(const Activation& value, int64_t count,
                                                   int64_t samples);

// out (kernels, images, G·m, out…) = beta·out + x (images, G·c, in…) under each of the weights
// w (kernels, G·m, c, kernel…); beta is 0 or 1.
void correlate(const Correlation& g, const Real* x, int64_t images, const Real* w, int64_t kernels,
               Real beta, Real* out);

// to (stacked·m, (q1 − q0)·kernel) = Σ over images and positions of rows (stacked, m, out…) and the
// patches of x (c, in…), of whose channels [q0, q1) are taken. Patches are made a few at a time and
// multiplied while they are in the cache.
class PatchProduct {
 public:
  struct Image {
    const Real* rows;
    const Real* x;
  };
  // `stride` lies from one of the stacked to the next, `ld` from one row of `to` to the next.
  PatchProduct(const Correlation& g, int64_t stacked, int64_t stride)
      : g_(g), stacked_(stacked), stride_(stride) {}
  void run(const std::vector<Image>& images, int64_t q0, int64_t q1, Real* to, int64_t ld) const;

 private:
  const Correlation& g_;
  int64_t stacked_, stride_;
};

// What one product takes at once of stacked rows and of channels, enough for BLAS and few enough
// for the cache; `items` of them are there anyway.
struct PatchBlocks {
  int64_t stacked, channels;
  int64_t stacks, slices;  // how many
  PatchBlocks(const Correlation& g, int64_t stacked, int64_t items);
};

}  // namespace AT_PRECISION
}  // namespace at
