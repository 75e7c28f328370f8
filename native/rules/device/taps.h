#pragma once

#include <vector>

#include "rules/device/flow.h"
#include "rules/support/axis_map.h"

namespace at {
inline namespace AT_PRECISION {

// Along an axis: which of the output's elements are made of which of the input's, with which
// weight. Applied to tangents as it is, or to cotangents turned round: from the elements `here` to
// those `there`.
class TapList {
 public:
  struct Tap {
    int64_t in, out;
    Real weight;
  };
  TapList(bool forward, int64_t in, int64_t out, const std::vector<Tap>& taps,
          bool weighted = false);

  int64_t here() const { return here_; }
  int64_t there() const { return static_cast<int64_t>(starts_.size()) - 1; }
  // to (outer, there, inner) = Σ weight·from (outer, here, inner).
  void apply(DeviceNode& call, int64_t outer, int64_t inner,
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

// `from` (count, shape…) along one axis after the other, as they are counted in the shape.
DeviceNumbers along_axes(DeviceNode& call, int64_t count, Shape shape,
                         const std::vector<AxisTaps>& axes, DeviceNumbers from);

// reverse_copy() on a device, where input k is plain, and forward_copy().
void copy_back(DeviceCall& call, int j, int k, const AxisMap& map);
void copy_ahead(DeviceTangentCall& call, int k, int j, const AxisMap& map);

// An operator whose input 0 is plain, and of which output j's cotangents tell it.
bool fits_plain(const Call& view, int j = 0);

// Such an operator, of which both directions are about the same.
class OneInput : public DeviceRule {
 public:
  bool fits(const Call& view) const override { return fits_plain(view); }
  void reverse(DeviceCall& call) const final {
    run(call, true, call.view().count(), call.out(0), call.in(0));
  }
  bool forward(DeviceTangentCall& call) const final {
    if (!fits_forward(call.view())) return false;
    run(call, false, call.view().count(), call.in(0), call.out(0));
    return true;
  }

 protected:
  // `to` (count, …) from what flows, cotangents or tangents.
  virtual void run(DeviceNode& call, bool reversed, int64_t count, const DeviceNumbers& from,
                   const device::Pointer<Real>& to) const = 0;
};

}  // namespace AT_PRECISION
}  // namespace at
