#pragma once

#include "core/real.h"
#include "device/functions/logistic.h"

namespace at {
inline namespace AT_PRECISION {

using device::logistic;
using device::logistic_slope;
using device::swish_slope;
using device::tanh_slope;

}  // namespace AT_PRECISION
}  // namespace at
