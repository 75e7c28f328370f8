#pragma once

#include "kernels/grid.h"
#include "reverse/on_device.h"

namespace at {
inline namespace AT_PRECISION {

// The features of some of a use's samples, multiplied out: x (samples, C, P), in the order that the
// parameter is stored in.
DeviceNumbers formed(device::Stream& stream, const DeviceMatrixUse& use,
                     const kernels::Range& samples);
// Those of its bias: x (n, C, m) = Σ_t δ.
DeviceNumbers formed_bias(device::Stream& stream, const DeviceMatrixUse& use);
// x (n, C, P) of dense features (C, n, P).
DeviceNumbers by_sample(device::Stream& stream, DeviceNumbers features, int64_t count,
                        int64_t samples, int64_t size);

}  // namespace AT_PRECISION
}  // namespace at
