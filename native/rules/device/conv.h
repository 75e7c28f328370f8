#pragma once

#include "rules/rule.h"

namespace at {
inline namespace AT_PRECISION {

// Convolutions as patches and products.
DeviceHalf device_conv();

}  // namespace AT_PRECISION
}  // namespace at
