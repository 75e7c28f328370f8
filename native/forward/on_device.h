#pragma once

#include <memory>
#include <vector>

#include "forward/pass.h"
#include "reverse/device_values.h"

namespace at {
inline namespace AT_PRECISION {

// Tangents of the parameters on both sides: (D, …shape), none where zero.
class DeviceDirections final : public Directions {
 public:
  // Numbers of the host's, null where zero; they are read before this returns.
  DeviceDirections(std::shared_ptr<device::Stream> stream, const std::vector<const Real*>& given,
                   const std::vector<int64_t>& sizes, int64_t count);
  // Numbers of the device's.
  DeviceDirections(std::shared_ptr<device::Stream> stream, std::vector<DeviceNumbers> given);

  bool zero(int parameter) const override { return !there_[static_cast<size_t>(parameter)]; }
  // For nodes that the host serves.
  const Real* dense(int parameter) override;
  const DeviceNumbers& on_device(int parameter) const {
    return there_[static_cast<size_t>(parameter)];
  }

 private:
  std::shared_ptr<device::Stream> stream_;
  std::vector<DeviceNumbers> there_;
  std::vector<const Real*> given_;
  std::vector<std::vector<Real>> fetched_;
};

// The output's tangent, the host's; null where it is zero. On its way from `there`, where that is
// not none.
struct OutputTangent {
  std::shared_ptr<Real> here;
  DeviceNumbers there;
};

// forward_pass() with every node on the device whose rule there fits; the others run on the host,
// their tangents fetched and sent back.
OutputTangent forward_pass_on_device(const Tape& tape, const Frame& frame, int64_t count,
                                     DeviceDirections& directions, Pool& pool,
                                     const Control& control, device::Stream& stream,
                                     DeviceValues& values);

}  // namespace AT_PRECISION
}  // namespace at
