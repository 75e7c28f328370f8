#pragma once

#include <memory>
#include <vector>

#include "device/pending.h"
#include "jobs/jacobian_sink.h"
#include "reverse/on_device.h"

namespace at {
inline namespace AT_PRECISION {

// JacobianSink of a pass on a device: features are multiplied out there and come down to where the
// host's sink writes, while the device goes on; what nodes on the host give goes to that one.
class DeviceJacobianSink final : public DeviceSink {
 public:
  // uses[p]: how many inputs of nodes parameter p is.
  // Results are there when `pending` is settled and the stream was waited for.
  DeviceJacobianSink(device::Stream& stream, device::Pending& pending, JacobianSink& host,
                     std::vector<int64_t> sizes, std::vector<int> uses, Pool& pool);

  void matrix(int parameter, MatrixUse use) override { host_.matrix(parameter, std::move(use)); }
  void dense(int parameter, int64_t count, int64_t samples,
             std::shared_ptr<Real> features) override {
    host_.dense(parameter, count, samples, std::move(features));
  }
  void matrix_on_device(int parameter, DeviceMatrixUse use) override;
  void dense_on_device(int parameter, int64_t count, int64_t samples,
                       DeviceNumbers features) override;
  // After the pass; before, results may not even be on their way.
  void finish();

 private:
  // Features (n, C, P) of all the pass's samples.
  struct Held {
    DeviceNumbers x;
    int64_t samples = 0, count = 0;
  };
  void take(int parameter, Held piece);
  // x (samples, C, P) of the samples from `first` on.
  void bring(int parameter, const DeviceNumbers& x, int64_t first, int64_t samples, int64_t count);
  void add_to_host(int parameter, const Held& held);

  // Of features that are made at once, or are on their way.
  int64_t most_bytes() const;

  device::Stream& stream_;
  device::Pending& pending_;
  JacobianSink& host_;
  std::vector<int64_t> sizes_;
  std::vector<int> uses_;
  Pool& pool_;
  std::vector<Held> held_;  // of parameters with several uses
};

}  // namespace AT_PRECISION
}  // namespace at
