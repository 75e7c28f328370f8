#include "rules/support/thin_conv.h"

#include <algorithm>

#include "core/parallel.h"
#include "core/thin.h"
#include "rules/support/batch.h"

namespace at {
inline namespace AT_PRECISION {

namespace {

// body(position, entries) for every position of a block (m, positions) that has numbers other
// than 0: those of its column.
template <class Body>
void each_position(const Real* block, int64_t m, int64_t positions, const Body& body) {
  static thread_local ThinColumns entries;
  entries.take(m, positions, block);
  for (int64_t t = 0; t < positions; ++t)
    if (entries.begin(t) != entries.end(t)) body(t, entries.begin(t), entries.end(t));
}

}  // namespace

bool thin_pays(const Correlation& g, const Real* out, int64_t planes) {
  return g.m >= kThin / 2 && g.k() >= kThin &&
         is_thin(out, planes * g.groups * g.m * g.windows.out_size());
}

void add_thin_product(const Correlation& g, const PatchProduct::Image& image, Real* to) {
  const int64_t k = g.k(), positions = g.windows.out_size();
  Real* patch = lane_buffer<0>(k);
  each_position(image.rows, g.m, positions, [&](int64_t t, const auto* entry, const auto* end) {
    patch_at(g.windows, g.channels, image.x, t, patch);
    for (; entry != end; ++entry)
      add_scaled(k, image.rows[entry->row * positions + t], patch, to + entry->row * k);
  });
}

void spread_thin(const Correlation& g, const Real* out, int64_t planes, const Real* w, Real* x) {
  const int64_t k = g.k(), size = g.channels * g.windows.in_size();
  const int64_t positions = g.windows.out_size();
  parallel_for(planes * g.groups, grain_for(4 * size), [&](int64_t first, int64_t last) {
    Real* patch = lane_buffer<0>(k);
    for (int64_t item = first; item < last; ++item) {
      const Real* rows = out + item * g.m * positions;
      const Real* weights = w + item % g.groups * g.m * k;
      Real* to = x + item * size;
      std::fill(to, to + size, Real(0));
      each_position(rows, g.m, positions, [&](int64_t t, const auto* entry, const auto* end) {
        std::fill(patch, patch + k, Real(0));
        for (; entry != end; ++entry)
          add_scaled(k, rows[entry->row * positions + t], weights + entry->row * k, patch);
        add_patch_at(g.windows, g.channels, patch, t, to);
      });
    }
  });
}

}  // namespace AT_PRECISION
}  // namespace at
