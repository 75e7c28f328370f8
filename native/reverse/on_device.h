#pragma once

#include <memory>

#include "core/buffer.h"
#include "reverse/device_values.h"
#include "reverse/sink.h"
#include "rules/device/rule.h"

namespace at {
inline namespace AT_PRECISION {

// MatrixUse in a device's memory.
struct DeviceMatrixUse {
  MatrixDims dims;
  int64_t samples = 0;  // n
  int64_t count = 0;    // C
  DeviceNumbers delta;  // (n, G, T, C, m)
  DeviceNumbers h;      // (n, G, T, k)
  int bias = -1;        // parameter whose features are Σ_t δ[i,0,t,c,:]
};

// Takes features from both sides: those of nodes that the host serves come as to any sink.
class DeviceSink : public FeatureSink {
 public:
  virtual void matrix_on_device(int parameter, DeviceMatrixUse use) = 0;
  // features (C, n, P).
  virtual void dense_on_device(int parameter, int64_t count, int64_t samples,
                               DeviceNumbers features) = 0;
};

// The same on the host, where it is when this returns.
MatrixUse to_host(device::Stream& stream, const DeviceMatrixUse& use, Pool& pool);

// reverse_pass() with every node on the device whose rule there fits; the others run on the host,
// their cotangents fetched and sent back. Of the host's memory nothing is read after it returns.
void reverse_pass_on_device(const Tape& tape, const Frame& frame, int64_t count,
                            std::shared_ptr<Real> seed, Pool& pool, const Control& control,
                            DeviceSink& sink, device::Stream& stream, DeviceValues& values);

}  // namespace AT_PRECISION
}  // namespace at
