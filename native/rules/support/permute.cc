#include "rules/support/permute.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include "core/parallel.h"
#include "rules/support/pack.h"

namespace at {
inline namespace AT_PRECISION {

namespace {
struct Axis {
  int64_t size, from, to;
};
}  // namespace

void gather_strided(int64_t count, const Shape& shape, const Shape& from_strides, const Real* from,
                    Real* to, int64_t from_step) {
  const int64_t size = element_count(shape);
  if (size == 0) return;
  if (from_step < 0) from_step = size;
  const Shape to_strides = row_major_strides(shape);
  std::vector<Axis> axes;
  for (size_t a = 0; a < shape.size(); ++a) {
    if (shape[a] == 1) continue;
    if (!axes.empty() && axes.back().from == from_strides[a] * shape[a]) {
      axes.back() = {axes.back().size * shape[a], from_strides[a], to_strides[a]};
    } else {
      axes.push_back({shape[a], from_strides[a], to_strides[a]});
    }
  }
  if (axes.empty()) axes.push_back({1, 1, 1});
  // Last comes the axis along which `to` is contiguous; before it, if it is another one, the axis
  // along which `from` is: together they are transposed in tiles.
  const Axis last = axes.back();
  axes.pop_back();
  Axis across = {1, 1, 1};
  if (last.from != 1) {
    for (size_t a = 0; a < axes.size(); ++a) {
      if (axes[a].from != 1) continue;
      across = axes[a];
      axes.erase(axes.begin() + static_cast<std::ptrdiff_t>(a));
      break;
    }
  }
  int64_t blocks = 1;
  for (const Axis& axis : axes) blocks *= axis.size;
  parallel_for(count * blocks, grain_for(last.size * across.size), [&](int64_t f, int64_t l) {
    for (int64_t item = f; item < l; ++item) {
      int64_t rest = item % blocks;
      const Real* source = from + item / blocks * from_step;
      Real* target = to + item / blocks * size;
      for (size_t a = axes.size(); a-- > 0;) {
        const int64_t index = rest % axes[a].size;
        rest /= axes[a].size;
        source += index * axes[a].from;
        target += index * axes[a].to;
      }
      if (last.from == 1) {
        std::memcpy(target, source, sizeof(Real) * last.size);
      } else if (across.size > 1) {
        transpose_block(source, last.size, across.size, last.from, target, across.to);
      } else {
        for (int64_t e = 0; e < last.size; ++e) target[e] = source[e * last.from];
      }
    }
  });
}

}  // namespace AT_PRECISION
}  // namespace at
