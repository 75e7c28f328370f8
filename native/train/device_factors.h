#pragma once

#include <memory>
#include <vector>

#include "rules/device/rule.h"
#include "train/factors.h"

namespace at {

// Factors in a device's memory. Δ is always formed there, and its gradient.
class DeviceFactors {
 public:
  // `arrays` as Factors has them; they are changed from outside.
  DeviceFactors(std::shared_ptr<device::Stream> stream, std::vector<int64_t> sizes,
                std::vector<FactorLayout> layouts, std::vector<DeviceNumbers> arrays);

  // Δ of every parameter with the arrays as they are.
  std::vector<DeviceNumbers> changes() const;
  // Gradients of the arrays from those of Δ; none where nothing arrived.
  std::vector<DeviceNumbers> pulled(const std::vector<DeviceNumbers>& slopes) const;

 private:
  using Modes = std::vector<int64_t>;
  DeviceNumbers change(size_t parameter) const;
  // x (…modes) with the matrices of all modes but `except` applied, or their transposes.
  DeviceNumbers through(size_t parameter, DeviceNumbers x, int except, bool transposed) const;
  DeviceNumbers along(const Modes& modes, size_t mode, const DeviceNumbers& matrix, bool transposed,
                      const DeviceNumbers& x) const;
  // slope (size, size) = Σ g[b,i,a]·x[b,j,a] + beta·slope.
  void pair(const Modes& modes, size_t mode, DeviceNumbers g, DeviceNumbers x, float beta,
            const DeviceNumbers& slope) const;
  const DeviceNumbers& matrix(size_t parameter, size_t mode) const {
    return arrays_[theta_[parameter] + 1 + mode];
  }

  std::shared_ptr<device::Stream> stream_;
  std::vector<int64_t> sizes_;
  std::vector<FactorLayout> layouts_;
  std::vector<DeviceNumbers> arrays_;
  std::vector<size_t> theta_;  // by parameter its index among the arrays; its matrices come after
};

}  // namespace at
