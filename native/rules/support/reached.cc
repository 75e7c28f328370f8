#include "rules/support/reached.h"

#include <algorithm>
#include <cmath>

#include "core/parallel.h"
#include "core/wider.h"
#include "rules/support/batch.h"
#include "rules/support/finite.h"

namespace at {
inline namespace AT_PRECISION {

Reached::Reached(const Correlation& g, bool adjoint, bool sound, const Real* x, int64_t images,
                 Real* room)
    : g_(g), adjoint_(adjoint), sound_(sound), planes_(images * g.groups), sums_(room) {
  const int64_t numbers = size(), channels = adjoint ? g.m : g.channels;
  parallel_for(planes_, grain_for(channels * numbers), [&](int64_t first, int64_t last) {
    for (int64_t p = first; p < last; ++p) {
      Real* sums = sums_ + p * numbers;
      std::fill(sums, sums + numbers, Real(0.0));
      bool all = false;
      for (int64_t q = 0; q < channels && !all; ++q) {
        const Real* from = x + (p * channels + q) * numbers;
        wider([&] {
          for (int64_t e = 0; e < numbers; ++e) sums[e] += std::abs(from[e]);
        });
        all = sound_ && std::all_of(sums, sums + numbers, [](Real sum) { return sum != 0; });
      }
    }
  });
}

bool Reached::finite() const { return sound_ || all_finite(sums_, planes_ * size()); }

std::vector<int64_t> Reached::missed(const Real* sums) const {
  const Windows& w = g_.windows;
  std::vector<char> hit(static_cast<size_t>(out_size()), 0);
  for (int64_t oz = 0; oz < w.out[0]; ++oz)
    for (int64_t oy = 0; oy < w.out[1]; ++oy) {
      const int64_t line = (oz * w.out[1] + oy) * w.out[2];
      w.each_row(oz, oy, [&](int64_t row) {
        for (int64_t k = 0; k < w.kernel[2]; ++k) {
          int64_t lo, hi;
          w.inside(2, k, lo, hi);
          for (int64_t o = lo; o < hi; ++o) {
            const int64_t in = row * w.in[2] + w.at(2, o, k), out = line + o;
            hit[static_cast<size_t>(adjoint_ ? in : out)] |= sums[adjoint_ ? out : in] != 0;
          }
        }
      });
    }
  std::vector<int64_t> found;
  for (size_t o = 0; o < hit.size(); ++o)
    if (!hit[o]) found.push_back(static_cast<int64_t>(o));
  return found;
}

void Reached::clear(Real* out) const {
  const int64_t numbers = size(), positions = out_size();
  const int64_t channels = adjoint_ ? g_.channels : g_.m;
  parallel_for(planes_, grain_for(numbers), [&](int64_t first, int64_t last) {
    for (int64_t p = first; p < last; ++p) {
      const Real* sums = sums_ + p * numbers;
      // Strides may leave the last numbers of the adjoint out.
      const bool all = std::all_of(sums, sums + numbers, [](Real sum) { return sum != 0; });
      if (all && !adjoint_) continue;
      const std::vector<int64_t> none = missed(sums);
      for (int64_t j = 0; j < channels && !none.empty(); ++j) {
        Real* to = out + (p * channels + j) * positions;
        for (int64_t o : none) to[o] = 0;
      }
    }
  });
}

bool only_ones(const Real* x, int64_t count) {
  return std::all_of(x, x + count, [](Real v) { return v == 0 || v == 1; });
}

}  // namespace AT_PRECISION
}  // namespace at
