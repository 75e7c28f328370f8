#pragma once

#include "rules/support/quick.h"

namespace at {
inline namespace AT_PRECISION {

// The product of stacked rows and patches for so few columns that copying both for BLAS takes as
// long as the products: rows are read where they lie, patches as rows of a copy of x with zeros
// around it, shifted.
class InPlaceProduct {
 public:
  // For `count` products, which share the threads.
  static bool pays(const Correlation& g, int64_t count);
  explicit InPlaceProduct(const Correlation& g);
  void run(const StackedProduct& product) const;

 private:
  void pad(const Real* x, Real* to) const;

  const Correlation& g_;
  int64_t size_[3];                    // of a channel of x with what lies around it
  int64_t plane_ = 0;                  // their product
  std::vector<int64_t> lines_, taps_;  // where rows of positions begin in it, and taps
};

}  // namespace AT_PRECISION
}  // namespace at
