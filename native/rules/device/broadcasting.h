#pragma once

#include <memory>

#include "rules/device/flow.h"

namespace at {
inline namespace AT_PRECISION {

// An element-wise operator on a device, its operands broadcast to its result. `between(call, k)`
// writes the cotangent of input k, or its part of the tangent.
template <class Between>
class Broadcasting final : public DeviceRule {
 public:
  explicit Broadcasting(Between between) : between_(between) {}

  bool fits(const Call& view) const override {
    for (int k = 0; k < inputs_of(view); ++k)
      if (view.wants(k) && !can_flow(view, k)) return false;
    return true;
  }
  void reverse(DeviceCall& call) const override { run(call); }
  bool forward(DeviceTangentCall& call) const override {
    if (!is_moderate(call.view().output(0))) return false;
    run(call);
    return true;
  }

 private:
  static int inputs_of(const NodeView& view) { return static_cast<int>(view.node().inputs.size()); }
  template <class Either>
  void run(Either& call) const {
    for (int k = 0; k < inputs_of(call.view()); ++k)
      if (flows(call, k)) between_(call, k);
  }

  Between between_;
};

template <class Between>
DeviceHalf broadcasting(Between between) {
  return std::make_shared<Broadcasting<Between>>(between);
}

}  // namespace AT_PRECISION
}  // namespace at
