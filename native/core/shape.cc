#include "core/shape.h"

#include <algorithm>

#include "core/error.h"

namespace at {

int64_t checked_mul(int64_t a, int64_t b) {
  int64_t product;
  if (a < 0 || b < 0 || __builtin_mul_overflow(a, b, &product)) {
    throw Error("TOO_LARGE", "A size of " + std::to_string(a) + " × " + std::to_string(b) +
                                 " elements cannot be represented");
  }
  return product;
}

int64_t checked_add(int64_t a, int64_t b) {
  int64_t sum;
  if (a < 0 || b < 0 || __builtin_add_overflow(a, b, &sum)) {
    throw Error("TOO_LARGE", "A size of " + std::to_string(a) + " + " + std::to_string(b) +
                                 " elements cannot be represented");
  }
  return sum;
}

int64_t element_count(const Shape& shape) { return count_between(shape, 0, shape.size()); }

int64_t count_between(const Shape& shape, size_t first, size_t last) {
  int64_t count = 1;
  for (size_t axis = first; axis < last; ++axis) count = checked_mul(count, shape[axis]);
  return count;
}

Shape row_major_strides(const Shape& shape) {
  Shape strides(shape.size(), 1);
  for (size_t axis = shape.size(); axis-- > 1;) strides[axis - 1] = strides[axis] * shape[axis];
  return strides;
}

Shape broadcast(const Shape& a, const Shape& b) {
  Shape result(std::max(a.size(), b.size()));
  for (size_t back = 1; back <= result.size(); ++back) {
    const int64_t da = back <= a.size() ? a[a.size() - back] : 1;
    const int64_t db = back <= b.size() ? b[b.size() - back] : 1;
    if (da != db && da != 1 && db != 1) {
      throw Error("BAD_SHAPE", "Shapes " + describe(a) + " and " + describe(b) +
                                   " cannot be broadcast together");
    }
    result[result.size() - back] = da == 1 ? db : da;
  }
  return result;
}

std::string describe(const Shape& shape) {
  if (shape.empty()) return "scalar";
  std::string text;
  for (size_t axis = 0; axis < shape.size(); ++axis) {
    if (axis) text += "×";
    text += std::to_string(shape[axis]);
  }
  return text;
}

}  // namespace at
