#include "fit/stream.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "core/blas.h"
#include "core/parallel.h"
#include "fit/sides.h"
#include "kernels/add_tile.h"

namespace at::fit {

namespace {

// Numbers in one chunk: 64 MB of doubles.
constexpr int64_t kChunk = int64_t{8} << 20;

int64_t per_chunk(int64_t rows, int64_t width, int64_t count) {
  return std::clamp<int64_t>(kChunk / std::max<int64_t>(1, rows * width), 1, count);
}

// fill(x, first, count, to) writes columns for items [first, first + count), `width` each, of the
// row whose features are x.
template <class Fill>
void in_chunks(const Features& features, int64_t begin, int64_t end, int64_t width,
               const Control& control, const Sink& sink, const Fill& fill) {
  if (begin >= end || width == 0) return;
  const int64_t rows = features.rows(), step = per_chunk(rows, width, end - begin);
  Memory buffer(static_cast<size_t>(rows * step * width) * sizeof(double));
  double* out = static_cast<double*>(buffer.data());
  for (int64_t first = begin; first < end; first += step) {
    control.poll();
    const int64_t count = std::min(step, end - first);
    parallel_for(rows, grain_for(features.size()), [&](int64_t from, int64_t to) {
      std::vector<double> x(features.size());
      for (int64_t r = from; r < to; ++r) {
        features.row(r, x.data());
        fill(x.data(), first, count, out + r * count * width);
      }
    });
    sink(out, count * width);
  }
}

}  // namespace

void stream_transformed(const Features& features, const Transform& transform,
                        const Control& control, const Sink& sink) {
  const int64_t m = features.m(), k = features.k();
  if (!transform.numbers.empty() || transform.modes.size() < 2) {
    // No structure to use: whole arrays (the flattened block never comes here with a stretch).
    const int64_t rows = features.rows(), step = per_chunk(rows, k, m);
    Memory buffer(static_cast<size_t>(rows * step * k) * sizeof(double));
    double* x = static_cast<double*>(buffer.data());
    for (int64_t p = 0; p < m; p += step) {
      control.poll();
      const int64_t count = std::min(step, m - p);
      features.expand(p, count, x);
      if (!transform.numbers.empty()) {
        const double* z = transform.numbers.data() + p * k;
        parallel_for(rows, grain_for(count * k), [&](int64_t first, int64_t last) {
          for (int64_t r = first; r < last; ++r)
            for (int64_t j = 0; j < count * k; ++j) x[r * count * k + j] *= z[j];
        });
      }
      sink(x, count * k);
    }
    return;
  }
  const std::vector<double> left = transform.modes[0].dense(1);
  const bool plain_left = transform.modes[0].rank() == 0;
  in_chunks(features, 0, m, k, control, sink,
            [&](const double* x, int64_t first, int64_t count, double* to) {
              if (plain_left) {
                std::copy(x + first * k, x + (first + count) * k, to);
              } else {
                blas::gemm(false, false, count, k, m, 1.0, left.data() + first * m, m, x, k, 0.0,
                           to, k);
              }
              int64_t outer = count, inner = k;
              for (size_t d = 1; d < transform.modes.size(); ++d) {
                inner /= transform.dims[d];
                transform.modes[d].apply(1, outer, inner, to);
                outer *= transform.dims[d];
              }
            });
}

int64_t update_width(const Features& features, const Transform& transform) {
  return transform.modes[0].rank() * features.k() + features.m() * transform.modes[1].rank();
}

bool update_pays(const Features& f, const Transform& transform) {
  const double n = static_cast<double>(f.rows()), size = static_cast<double>(f.size());
  const double l = static_cast<double>(transform.modes[0].rank());
  const double q = static_cast<double>(transform.modes[1].rank());
  const double whole = n * n * size + 2 * n * size * ((l > 0 ? f.m() : 0) + 2 * q);
  const double update = n * n * (update_width(f, transform) + kReadCost) +
                        2 * n * (size * (l + q) + 2 * l * q * f.k());
  return update < whole;
}

void stream_update(const Features& features, const Transform& transform, const Control& control,
                   const Sink& sink) {
  // With A = M_left² = I + Σ a u uᵀ and G = M_right² = I + Σ g v vᵀ:
  //   ⟨X, A X' G⟩ = ⟨X, X'⟩ + ⟨√a uᵀX M_right, …⟩ + ⟨X v √g, …⟩
  const int64_t m = features.m(), k = features.k();
  const int64_t l = transform.modes[0].rank(), q = transform.modes[1].rank();
  const std::vector<double> u = transform.modes[0].update_vectors();
  const std::vector<double> v = transform.modes[1].update_vectors();
  const auto left = [&](const double* x, int64_t first, int64_t count, double* to) {
    blas::gemm(false, false, count, k, m, 1.0, u.data() + first * m, m, x, k, 0.0, to, k);
    transform.modes[1].apply(1, count, 1, to);
  };
  const auto right = [&](const double* x, int64_t first, int64_t count, double* to) {
    blas::gemm(false, true, count, m, k, 1.0, v.data() + first * k, k, x, k, 0.0, to, m);
  };
  // Both while a row is in the cache.
  in_chunks(features, 0, std::min(l, q), k + m, control, sink,
            [&](const double* x, int64_t first, int64_t count, double* to) {
              left(x, first, count, to);
              right(x, first, count, to + count * k);
            });
  in_chunks(features, q, l, k, control, sink, left);
  in_chunks(features, l, q, m, control, sink, right);
}

size_t stream_bytes(const Features& features) {
  const int64_t rows = features.rows(), least = rows * std::max(features.m(), features.k());
  return sizeof(double) *
         static_cast<size_t>(std::min(rows * features.size(), std::max(least, kChunk)));
}

void add_products(const double* x, int64_t width, const kernels::Triangle<double>& target) {
  const auto side = kernels::Side<double>::dense(x, target.unit(), width);
  Pool none;
  target.grid().each([&](const kernels::Place& place) {
    kernels::add_tile<double>({side, side, place, target.at(place)}, none, {});
  });
}

}  // namespace at::fit
