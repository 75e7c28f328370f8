#pragma once

#include "rules/support/correlation.h"

namespace at {
inline namespace AT_PRECISION {

// Where numbers of x (images, G·c, in…) other than 0 lie, and so which outputs of a correlation
// they reach: with fewer products than by definition the others are off 0 by rounding, and nothing
// may flow through a zero.
class Reached {
 public:
  // In `room` for room() numbers. `sound`: x's numbers are known to be finite.
  Reached(const Correlation& g, bool sound, const Real* x, int64_t images, Real* room)
      : Reached(g, false, sound, x, images, room) {}
  static int64_t room(const Correlation& g, int64_t images) {
    return images * g.groups * g.windows.in_size();
  }
  // The same of the adjoint, for x (images, G·m, out…) and out (images, G·c, in…).
  static Reached of_adjoint(const Correlation& g, bool sound, const Real* x, int64_t images,
                            Real* room) {
    return Reached(g, true, sound, x, images, room);
  }
  static int64_t room_of_adjoint(const Correlation& g, int64_t images) {
    return images * g.groups * g.windows.out_size();
  }

  // Are all of x's numbers finite?
  bool finite() const;
  // out (images, G·m, out…) = 0 where none of them reaches.
  void clear(Real* out) const;

 private:
  Reached(const Correlation& g, bool adjoint, bool sound, const Real* x, int64_t images,
          Real* room);
  int64_t size() const { return adjoint_ ? g_.windows.out_size() : g_.windows.in_size(); }
  int64_t out_size() const { return adjoint_ ? g_.windows.in_size() : g_.windows.out_size(); }
  // The outputs of one image and group that none reaches.
  std::vector<int64_t> missed(const Real* sums) const;

  const Correlation& g_;
  bool adjoint_, sound_;
  int64_t planes_;  // images·G
  // (planes, in…): Σ |x| over the channels, 0 where all are; where x is sound, over so many that
  // none is 0.
  Real* sums_;
};

// Are all numbers 0 or 1? They tell what is reached (reverse/product.h): sums of them are counts,
// which rounding must not move off 0.
bool only_ones(const Real* x, int64_t count);

}  // namespace AT_PRECISION
}  // namespace at
