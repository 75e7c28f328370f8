#pragma once

#include <functional>

#include "rules/support/correlation.h"

namespace at {
inline namespace AT_PRECISION {

// Correlations with fewer products than their definition has.
enum class QuickWay {
  kNone,      // none gains
  kToomCook,  // support/toom_cook.h
  kFourier,   // support/fourier.h
  kWinograd,  // support/winograd.h: of 3 × 3 taps,
  kRows2,     // of 2 and of 3 along the last axis
  kRows3,
  kStrided1,  // and with strides along it, of one tap for every phase
  kStrided2,  // and of two
};

// Which one gains for so many images at once; and for the product of weights below.
QuickWay quick_way(const Correlation& g, int64_t images);
QuickWay quick_product_way(const Correlation& g, int64_t images);

// As correlate() with one set of weights and beta 0, of finite numbers, in `room` for
// quick_room() numbers.
void correlate_quick(QuickWay way, const Correlation& g, const Real* x, int64_t images,
                     const Real* w, Real* out, Real* room);
int64_t quick_room(QuickWay way, const Correlation& g);

// The adjoint of a correlation with strides, for x (images, G·m, out…) and out (images, G·c, in…).
void spread_quick(QuickWay way, const Correlation& g, const Real* x, int64_t images, const Real* w,
                  Real* out, Real* room);
int64_t spread_room(QuickWay way, const Correlation& g);

// Σ over images and positions of rows (stacked, m, out…) and the patches of x (c, in…), all finite,
// to (stacked, m, c·kernel).
struct StackedProduct {
  std::vector<PatchProduct::Image> images;
  int64_t stacked, stride;  // from one of the stacked rows to the next
  Real* to;
  int64_t to_stride;  // from one of the stacked results to the next
};
// With all threads, in `room` for quick_product_room() numbers.
void multiply_quick(QuickWay way, const Correlation& g, const StackedProduct& product, Real* room);
int64_t quick_product_room(QuickWay way, const Correlation& g, int64_t images, int64_t stacked);

// `count` such products of 3 × 3 taps and of `images` images each, which share the threads: that
// gains with fewer tiles and channels.
bool small_products_pay(const Correlation& g, int64_t images, int64_t count);
void multiply_small(const Correlation& g, int64_t images, int64_t stacked, int64_t count,
                    const std::function<StackedProduct(int64_t)>& product_of);

}  // namespace AT_PRECISION
}  // namespace at
