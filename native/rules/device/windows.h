#pragma once

#include "device/functions/windows.h"
#include "rules/support/windows.h"

namespace at {
inline namespace AT_PRECISION {

// Windows as functions of devices see them.
inline device::WindowShape window_shape(const Windows& windows) {
  device::WindowShape s{};
  for (int axis = 0; axis < 3; ++axis) {
    s.in[axis] = static_cast<int>(windows.in[axis]);
    s.out[axis] = static_cast<int>(windows.out[axis]);
    s.kernel[axis] = static_cast<int>(windows.kernel[axis]);
    s.stride[axis] = static_cast<int>(windows.stride[axis]);
    s.dilation[axis] = static_cast<int>(windows.dilation[axis]);
    s.pad[axis] = static_cast<int>(windows.pad[axis]);
  }
  const auto plane = [](const int64_t* sizes) { return device::Divider(sizes[1] * sizes[2]); };
  s.kernel_size = device::Divider(windows.kernel_size());
  s.kernel_plane = plane(windows.kernel);
  s.kernel_row = device::Divider(windows.kernel[2]);
  s.in_plane = plane(windows.in);
  s.in_row = device::Divider(windows.in[2]);
  s.out_plane = plane(windows.out);
  s.out_row = device::Divider(windows.out[2]);
  return s;
}

}  // namespace AT_PRECISION
}  // namespace at
