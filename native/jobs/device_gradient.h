#pragma once

#include <memory>
#include <vector>

#include "jobs/gradient.h"
#include "reverse/on_device.h"

namespace at {
inline namespace AT_PRECISION {

// GradientSink of a pass on a device. What nodes on the host give is summed there.
class DeviceGradientSink final : public DeviceSink {
 public:
  DeviceGradientSink(device::Stream& stream, std::vector<int64_t> sizes, int64_t count, Pool& pool);

  void matrix(int parameter, MatrixUse use) override { host_.matrix(parameter, std::move(use)); }
  void dense(int parameter, int64_t count, int64_t samples,
             std::shared_ptr<Real> features) override {
    host_.dense(parameter, count, samples, std::move(features));
  }
  void matrix_on_device(int parameter, DeviceMatrixUse use) override;
  void dense_on_device(int parameter, int64_t count, int64_t samples,
                       DeviceNumbers features) override;

 private:
  friend class DeviceGradientSums;
  // A matrix whose features are added up, as one whose groups stand first: δ (G, n·T, C, m) and
  // h (G, n·T, k).
  void add(int parameter, const DeviceMatrixUse& use, const DeviceNumbers& delta,
           const DeviceNumbers& h);
  void add_rows(int parameter, const DeviceNumbers& from, int64_t outer, int64_t rows,
                int64_t length);
  // Groups before samples.
  DeviceNumbers groups_first(const DeviceMatrixUse& use, const DeviceNumbers& from,
                             int64_t length) const;

  device::Stream& stream_;
  std::vector<int64_t> sizes_;
  int64_t count_;
  GradientSink host_;
  std::vector<DeviceNumbers> sums_;  // (C, …shape); none where nothing arrived
};

// Sums of one block after another, added up in double on the device.
class DeviceGradientSums {
 public:
  void add(const DeviceGradientSink& block);
  // results[p] (C, …shape); zero where nothing arrived. Waits for them.
  void write(device::Stream& stream, const std::vector<Real*>& results,
             const std::vector<int64_t>& sizes, int64_t count) const;
  // The same in the device's memory, which is overwritten when blocks were added meanwhile; none
  // where nothing arrived.
  std::vector<DeviceNumbers> rounded(device::Stream& stream) const;

 private:
  // With room for its rounded numbers, so that nothing is missing when all blocks are done.
  struct Sum {
    device::Buffer<double> wide;
    DeviceNumbers rounded;
  };
  std::vector<Sum> sums_;
};

}  // namespace AT_PRECISION
}  // namespace at
