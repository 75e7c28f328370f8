#pragma once

#include <array>
#include <vector>

#include "device/functions/flow.h"
#include "device/stream.h"

namespace at::device {

// How far each array of a Flow goes on with one index of an axis.
using Steps = std::array<int64_t, kArrays>;

// The axes of a Flow, outer ones first: those that its result has, and those that are summed over.
class Walk {
 public:
  void keep(int64_t size, const Steps& steps) { add(kept_, size, steps); }
  void sum(int64_t size, const Steps& steps) { add(summed_, size, steps); }

  // Does it have few enough axes?
  bool fits() const { return kept_.size() <= kMostAxes && summed_.size() <= kMostAxes; }

  // Of the functions that flow.h has.
  template <class T, class Op>
  void run(Stream& stream, Flow<T, Op> f) const;

 private:
  struct Axis {
    int64_t size;
    Steps steps;
  };

  static void add(std::vector<Axis>& axes, int64_t size, const Steps& steps);
  static int64_t product(const std::vector<Axis>& axes);
  static void set(const std::vector<Axis>& from, Axes& to);

  std::vector<Axis> kept_, summed_;
};

}  // namespace at::device
