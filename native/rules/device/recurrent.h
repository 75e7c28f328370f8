#pragma once

#include "rules/rule.h"

namespace at {
inline namespace AT_PRECISION {

// LSTM, GRU and RNN as scans over time: a product and a function for each step.
DeviceHalf device_recurrent();

}  // namespace AT_PRECISION
}  // namespace at
