#pragma once

#include "core/real.h"
#include "device/functions/gelu.h"

namespace at {
inline namespace AT_PRECISION {

using device::gelu_derivative;
using device::gelu_tanh_derivative;

}  // namespace AT_PRECISION
}  // namespace at
