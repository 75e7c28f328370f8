#pragma once

#include <vector>

#include "device/functions/arrange.h"
#include "rules/device/rule.h"

namespace at {
inline namespace AT_PRECISION {

// Where the rows of a MatrixFactor lie, each place's from begin[place] on, its elements `stride`
// apart.
struct RowPlaces {
  std::vector<int32_t> begin;
  int64_t stride = 1;

  // Do they lie one after another, as they are wanted?
  bool in_order(int64_t width) const {
    if (stride != 1 && width > 1) return false;
    for (size_t p = 0; p < begin.size(); ++p)
      if (begin[p] != static_cast<int64_t>(p) * width) return false;
    return true;
  }
};

// (places, count, width) of numbers (count, size).
inline DeviceNumbers packed(DeviceCall& call, const DeviceNumbers& from, int64_t count,
                            int64_t size, int64_t width, const RowPlaces& rows) {
  const auto places = static_cast<int64_t>(rows.begin.size());
  const bool in_order = rows.in_order(width) && places * width == size;
  if (in_order && (count == 1 || places == 1)) return from;
  const DeviceNumbers to = call.stream().take<Real>(places * count * width);
  if (in_order) {
    device::for_rows(call.stream(), count * places, width,
                     device::SwapAxes<Real>{from.at(), to.at(), count, places, width});
  } else {
    const auto begin = call.sent(rows.begin);
    device::for_rows(
        call.stream(), places * count, width,
        device::PackRows<Real>{from.at(), begin.at(), to.at(), count, size, rows.stride, width});
  }
  return to;
}

}  // namespace AT_PRECISION
}  // namespace at
