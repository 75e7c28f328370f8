#pragma once

#include <memory>
#include <vector>

#include "jobs/device_collect.h"
#include "jobs/path.h"

namespace at {
inline namespace AT_PRECISION {

// PathCollector of passes on a device. What stays there does so from node to node; what goes by the
// host's collector (see DeviceCollector) is added up there.
class DevicePathCollector final : public DeviceSink {
 public:
  // uses[p]: how many inputs of nodes parameter p is in one pass; `nodes` of the path.
  DevicePathCollector(const KernelTask& task, const std::vector<int64_t>& sizes,
                      const std::vector<int>& uses, int nodes, Pool& pool,
                      std::shared_ptr<device::Stream> stream);

  void weigh(double weight) {
    weight_ = static_cast<Real>(weight);
    host_.weigh(weight);
  }
  void matrix(int parameter, MatrixUse use) override;
  void dense(int parameter, int64_t count, int64_t samples,
             std::shared_ptr<Real> features) override;
  void matrix_on_device(int parameter, DeviceMatrixUse use) override;
  void dense_on_device(int parameter, int64_t count, int64_t samples,
                       DeviceNumbers features) override;
  // Consumes what was collected: call it once.
  Block finish(int64_t first, int64_t samples, int64_t count, std::vector<Method>& methods);

 private:
  void multiply_out_mixed(size_t parameter);
  DeviceNumbers weighted(const DeviceNumbers& from, int64_t count) const;
  // The factors of all nodes as more positions of the same matrix.
  DeviceMatrixUse joined(const std::vector<DeviceMatrixUse>& uses) const;
  DeviceNumbers concatenated(const std::vector<DeviceMatrixUse>& uses,
                             DeviceNumbers DeviceMatrixUse::* of, int64_t length,
                             int64_t positions) const;

  std::vector<int64_t> sizes_;
  Pool& pool_;
  std::shared_ptr<device::Stream> stream_;
  DeviceCollector collector_;
  PathCollector host_;
  Real weight_ = 1;
  std::vector<std::vector<DeviceMatrixUse>> factors_;
  std::vector<DeviceNumbers> sums_;  // (C, n, P)
};

}  // namespace AT_PRECISION
}  // namespace at
