#include "contraction/block.h"

namespace at {
inline namespace AT_PRECISION {

std::string name_of(Method method) {
  switch (method) {
    case Method::kJacobian:
      return "jacobian";
    case Method::kStructured:
      return "structured";
    case Method::kProducts:
      return "products";
    case Method::kAuto:
      break;
  }
  return "auto";
}

int64_t Block::bytes() const {
  int64_t floats = 0;
  for (const Unit& unit : units) {
    if (unit.x) floats += samples * count * unit.size;
    if (unit.picks) {
      const auto entries = static_cast<int64_t>(unit.picks->columns.size());
      floats += entries * (count * unit.picks->rows + 2);
    }
    if (unit.delta) floats += samples * unit.positions * (count * unit.rows + unit.cols);
  }
  return floats * static_cast<int64_t>(sizeof(Real));
}

}  // namespace AT_PRECISION
}  // namespace at
