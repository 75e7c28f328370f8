#pragma once

#include <vector>

#include "rules/device/flow.h"
#include "rules/support/axis_map.h"

namespace at {
inline namespace AT_PRECISION {

// Which of `here` elements add to each of `there`, with which weight.
class TapList {
 public:
  struct Tap {
    int64_t there, here;
    Real weight;
  };
  TapList(int64_t here, int64_t there, const std::vector<Tap>& taps, bool weighted);

  int64_t here() const { return here_; }
  int64_t there() const { return static_cast<int64_t>(starts_.size()) - 1; }
  // to (outer, there, inner) = Σ weight·from (outer, here, inner).
  void apply(DeviceCall& call, int64_t outer, int64_t inner,
             const device::Pointer<const Real>& from, const device::Pointer<Real>& to) const;

 private:
  int64_t here_;
  std::vector<int32_t> starts_, source_;
  std::vector<Real> weights_;
};

// Along an axis of output j and input k; the elements before it and after it stay.
struct AxisTaps {
  size_t axis;
  TapList taps;
};

// Input k's cotangent from output j's, whose elements it undoes axis by axis. `shape` is the
// output's, as the axes are counted.
void undo_axes(DeviceCall& call, int j, int k, Shape shape, const std::vector<AxisTaps>& axes);

// reverse_copy() on a device, where input k is plain.
void undo_copy(DeviceCall& call, int j, int k, const AxisMap& map);

// An operator whose input 0 is plain, and of which output j's cotangents tell it.
bool fits_plain(const Call& view, int j = 0);

}  // namespace AT_PRECISION
}  // namespace at
