#pragma once

#include "rules/device/rule.h"

namespace at {
inline namespace AT_PRECISION {

// DeviceRule::forward of Gemm, of MatMul with one matrix on the right, of Conv without groups, and
// of Add and Sum.
bool forward_gemm(DeviceTangentCall& call);
bool forward_matmul(DeviceTangentCall& call);
bool forward_conv(DeviceTangentCall& call);
bool forward_sum(DeviceTangentCall& call);

}  // namespace AT_PRECISION
}  // namespace at
