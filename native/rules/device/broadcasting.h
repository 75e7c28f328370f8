#pragma once

#include <memory>

#include "rules/device/flow.h"

namespace at {
inline namespace AT_PRECISION {

// An element-wise operator with NumPy broadcasting on a device.
class Broadcasting final : public DeviceRule {
 public:
  // Writes the cotangent of input k.
  using Back = void (*)(DeviceCall& call, int k);
  explicit Broadcasting(Back back) : back_(back) {}

  bool fits(const Call& view) const override {
    for (int k = 0; k < static_cast<int>(view.node().inputs.size()); ++k)
      if (view.wants(k) && !can_flow(view, k)) return false;
    return true;
  }
  void reverse(DeviceCall& call) const override {
    for (int k = 0; k < static_cast<int>(call.view().node().inputs.size()); ++k)
      if (call.view().wants(k)) back_(call, k);
  }

 private:
  Back back_;
};

inline DeviceHalf broadcasting(Broadcasting::Back back) {
  return std::make_shared<Broadcasting>(back);
}

}  // namespace AT_PRECISION
}  // namespace at
