#pragma once

#include <vector>

#include "jobs/collect.h"
#include "kernels/device_block.h"
#include "reverse/on_device.h"

namespace at {
inline namespace AT_PRECISION {

// BlockCollector of a pass on a device. What a parameter's features become does not depend on which
// side served its node, since that may differ from block to block: those of one use go to the
// device; those of several uses, of groups and of picked rows go by the host's collector.
class DeviceCollector final : public DeviceSink {
 public:
  // uses[p]: how many inputs of nodes parameter p is in one of the `passes`; what goes by the host
  // comes from all of them.
  DeviceCollector(const KernelTask& task, std::vector<int64_t> sizes, std::vector<int> uses,
                  Pool& pool, std::shared_ptr<device::Stream> stream, int passes = 1);

  void matrix(int parameter, MatrixUse use) override;
  void dense(int parameter, int64_t count, int64_t samples,
             std::shared_ptr<Real> features) override;
  void matrix_on_device(int parameter, DeviceMatrixUse use) override;
  void dense_on_device(int parameter, int64_t count, int64_t samples,
                       DeviceNumbers features) override;

  // Does a parameter's only use in a pass stay on the device?
  bool alone(int parameter) const { return uses_[static_cast<size_t>(parameter)] == 1; }
  bool stays(int parameter, const MatrixDims& dims, int bias) const;
  // What a node on the host gave, in the device's memory.
  DeviceMatrixUse sent(const MatrixUse& use);

  // Consumes what was collected: call it once.
  Block finish(int64_t first, int64_t samples, int64_t count, std::vector<Method>& methods);

 private:
  using Unit = kernels::DeviceUnit<Real>;
  Method add_factors(int parameter, const DeviceMatrixUse& use);
  void add_bias(const DeviceMatrixUse& use);

  const KernelTask& task_;
  std::vector<int64_t> sizes_;
  std::vector<int> uses_;
  Pool& pool_;
  std::shared_ptr<device::Stream> stream_;
  BlockCollector host_;
  std::vector<Unit> units_;
};

}  // namespace AT_PRECISION
}  // namespace at
