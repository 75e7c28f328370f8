#pragma once

#include "rules/support/correlation.h"

namespace at {
inline namespace AT_PRECISION {

// Where numbers of x (images, G·c, in…) other than 0 lie, and so which outputs of a correlation
// they reach: with fewer products than by definition the others are off 0 by rounding, and nothing
// may flow through a zero.
class Reached {
 public:
  // In `room` for room() numbers.
  Reached(const Correlation& g, const Real* x, int64_t images, Real* room);
  static int64_t room(const Correlation& g, int64_t images) {
    return images * g.groups * g.windows.in_size();
  }

  // Are all of x's numbers finite?
  bool finite() const;
  // out (images, G·m, out…) = 0 where none of them reaches.
  void clear(Real* out) const;

 private:
  // The outputs of one image and group that none reaches.
  std::vector<int64_t> missed(const Real* sums) const;

  const Correlation& g_;
  int64_t planes_;  // images·G
  Real* sums_;      // (planes, in…): Σ |x| over the channels, 0 where all are
};

// Are all numbers 0 or 1? They tell what is reached (reverse/product.h): sums of them are counts,
// which rounding must not move off 0.
bool only_ones(const Real* x, int64_t count);

}  // namespace AT_PRECISION
}  // namespace at
