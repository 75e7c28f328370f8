#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "jobs/device_gradient.h"
#include "reverse/device_values.h"
#include "train/arrays.h"
#include "train/device_factors.h"

namespace at {

// Those of a device: arrays, moments and gradients stay there over the steps, and so do the weights
// that are not trained. Of all weights trained what a step makes of them comes down as well, for
// the next forward run.
class DeviceArrays final : public TrainedArrays {
 public:
  DeviceArrays(const Tape& tape, const TrainerSettings& settings, Pool& pool);

  void begin() override;
  void over_frame(const std::function<void()>& work) override;
  std::shared_ptr<float> tangent(const Frame& frame, const Control& control) override;
  void reverse(const Frame& frame, std::shared_ptr<float> seed, const Control& control) override;
  void step(double rate, int64_t number) override;
  void send() override;
  void fetch() override;
  void renew() override {}
  const float* present(int parameter) override;

 private:
  // After a failure nothing of it counts, and the device is as it was before.
  template <class Work>
  void whole(const Work& work);
  // Δ of every parameter, as of now.
  const std::vector<DeviceNumbers>& changes();
  // The gradients of all arrays.
  std::vector<DeviceNumbers> collected();

  const Tape& tape_;
  const TrainerSettings& settings_;
  Pool& pool_;
  std::shared_ptr<device::Stream> stream_;
  std::vector<DeviceNumbers> arrays_;
  std::vector<std::vector<DeviceNumbers>> moments_;
  std::vector<DeviceNumbers> changes_;  // none: not formed since the arrays changed
  std::optional<DeviceFactors> factors_;
  DeviceValues values_;
  DeviceGradientSums sums_;
  std::vector<float> fetched_;
};

}  // namespace at
