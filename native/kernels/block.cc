#include "kernels/block.h"

#include "kernels/device_block.h"

namespace at::kernels {

std::string name_of(Method method) {
  switch (method) {
    case Method::kJacobian:
      return "jacobian";
    case Method::kStructured:
      return "structured";
    case Method::kMixed:
      return "mixed";
    case Method::kAuto:
      break;
  }
  return "auto";
}

template <class Number>
Side<Number> Unit<Number>::side(KernelType type, int64_t count, int64_t component) const {
  Side<Number> s;
  s.C = type == KernelType::kFull ? count : 1;
  s.stacked = type == KernelType::kTrace ? count : 1;
  s.mixed = method == Method::kMixed;
  const int64_t skipped = type == KernelType::kDiagonal ? component : 0;
  if (x) {
    s.x = x.get() + skipped * size;
    s.x_sample = count * size;
    s.size = s.stacked * size;
    return s;
  }
  if (delta) {
    s.delta = delta.get() + skipped * rows;
    s.delta_place = count * rows;
    s.h = h.get();
    s.T = positions;
    s.m = s.stacked * rows;
    s.k = cols;
  }
  if (picks) {
    s.picks = picks.get();
    s.picked = picks->delta.get() + skipped * picks->rows;
    s.picked_place = count * picks->rows;
    s.width = s.stacked * picks->rows;
    s.crosswise = crosswise;
  }
  return s;
}

template <class Number>
int64_t Block<Number>::bytes() const {
  int64_t numbers = 0;
  for (const Unit<Number>& unit : units) {
    if (unit.x) numbers += samples * count * unit.size;
    if (unit.picks) {
      const auto entries = static_cast<int64_t>(unit.picks->columns.size());
      numbers += entries * (count * unit.picks->rows + 2);
    }
    if (unit.delta) numbers += samples * unit.positions * (count * unit.rows + unit.cols);
  }
  const int64_t elsewhere = on_device ? on_device->bytes() : 0;
  return numbers * static_cast<int64_t>(sizeof(Number)) + elsewhere;
}

template struct Unit<float>;
template struct Unit<double>;
template struct Block<float>;
template struct Block<double>;

}  // namespace at::kernels
