#pragma once

#include <vector>

#include "fit/features.h"
#include "fit/transform.h"
#include "kernels/side.h"

namespace at::fit {

// Reading a cached entry costs about as much as this many columns of a product.
constexpr int64_t kReadCost = 16;

// Inner products of one factor's vectors before any transform, kept between kernels.
class GramCache {
 public:
  // What it will hold for a grid with `unit` vectors per sample; it is used from now on.
  size_t allow(const kernels::Grid& grid, int64_t unit);
  bool allowed() const { return unit_ > 0; }
  // Of vectors (items, width); made the first time, at the price added to *flops.
  const kernels::Triangle<double>& of(const double* vectors, int64_t width, double* flops);

 private:
  kernels::Grid grid_;
  int64_t unit_ = 0;
  kernels::Triangle<double> products_;
};

// A block's factors under a transform as one side of a kernel, with the numbers that it points to
// where they are not the features' own.
struct FactoredSide {
  kernels::Side<double> side;
  std::vector<double> delta, h;
};

struct GramCaches {
  GramCache delta, h;
};

// Of features with picked columns there are two sides, whose kernels add up: the picked rows, and
// what stretching their columns adds. With caches (positions = 1) both sides of the kernel are the
// same, and M = I + low rank costs only its rank.
std::vector<FactoredSide> sides_of(const FactoredFeatures& features, const Transform& transform,
                                   GramCaches* caches = nullptr, double* flops = nullptr);
// Of the lower triangle that such a side gives with itself.
double side_flops(const FactoredFeatures& features, const FactoredSide& side);

}  // namespace at::fit
