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
  // DeviceRule::forward; null: the host serves it.
  using Ahead = bool (*)(DeviceTangentCall& call);
  explicit Broadcasting(Back back, Ahead ahead) : back_(back), ahead_(ahead) {}

  bool fits(const Call& view) const override {
    for (int k = 0; k < static_cast<int>(view.node().inputs.size()); ++k)
      if (view.wants(k) && !can_flow(view, k)) return false;
    return true;
  }
  void reverse(DeviceCall& call) const override {
    for (int k = 0; k < static_cast<int>(call.view().node().inputs.size()); ++k)
      if (call.view().wants(k)) back_(call, k);
  }
  bool forward(DeviceTangentCall& call) const override { return ahead_ && ahead_(call); }

 private:
  Back back_;
  Ahead ahead_;
};

inline DeviceHalf broadcasting(Broadcasting::Back back, Broadcasting::Ahead ahead = nullptr) {
  return std::make_shared<Broadcasting>(back, ahead);
}

}  // namespace AT_PRECISION
}  // namespace at
