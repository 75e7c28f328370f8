#include "fit/sides.h"

#include <utility>

#include "core/blas.h"
#include "fit/stream.h"

namespace at::fit {

namespace {

// The vectors of one factor under a transform, or what they add to the inner products known.
struct Factor {
  const double* rows = nullptr;
  int64_t width = 0;
  const kernels::Triangle<double>* known = nullptr;
  std::vector<double> own;
};

// vectors (items, width), whose width is that of the modes [first, last).
Factor transformed(const double* vectors, int64_t items, int64_t width, const Transform& transform,
                   size_t first, size_t last) {
  Factor out;
  int64_t outer = items, inner = width;
  for (size_t d = first; d < last; ++d) {
    inner /= transform.dims[d];
    if (transform.modes[d].rank() > 0) {
      if (out.own.empty()) out.own.assign(vectors, vectors + items * width);
      transform.modes[d].apply(1, outer, inner, out.own.data());
    }
    outer *= transform.dims[d];
  }
  out.rows = out.own.empty() ? vectors : out.own.data();
  out.width = width;
  return out;
}

Factor factor_of(const double* vectors, int64_t items, int64_t width, const Transform& transform,
                 size_t first, size_t last, GramCache* cache, double* flops) {
  const Stretch& stretch = transform.modes[first];
  if (!cache || !cache->allowed() || last != first + 1 || stretch.rank() + kReadCost >= width)
    return transformed(vectors, items, width, transform, first, last);
  Factor out;
  out.known = &cache->of(vectors, width, flops);
  out.width = stretch.rank();
  if (out.width == 0) return out;
  const std::vector<double> update = stretch.update_vectors();
  out.own.resize(items * out.width);
  blas::parallel_gemm(false, true, items, out.width, width, 1.0, vectors, width, update.data(),
                      width, 0.0, out.own.data(), out.width);
  out.rows = out.own.data();
  return out;
}

FactoredSide factored(const FactoredFeatures& f, Factor delta, Factor h) {
  FactoredSide out;
  out.side.C = f.outputs();
  out.side.T = f.positions();
  out.side.delta = delta.rows;
  out.side.m = delta.width;
  out.side.delta_place = f.outputs() * delta.width;
  out.side.known_delta = delta.known;
  out.side.h = h.rows;
  out.side.k = h.width;
  out.side.known_h = h.known;
  out.delta = std::move(delta.own);
  out.h = std::move(h.own);
  return out;
}

FactoredSide picked(const FactoredFeatures& f, Factor delta) {
  FactoredSide out;
  out.side.C = f.outputs();
  out.side.picks = &f.picked();
  out.side.picked = delta.rows;
  out.side.width = delta.width;
  out.side.picked_place = f.outputs() * delta.width;
  out.delta = std::move(delta.own);
  return out;
}

// What stretching picked columns adds to their inner products, as vectors (samples·T, rank).
Factor stretched_columns(const FactoredFeatures& f, const Stretch& stretch) {
  Factor out;
  out.width = stretch.rank();
  out.own.resize(f.picked().columns.size() * static_cast<size_t>(out.width));
  f.project(stretch.update_vectors().data(), out.width, out.own.data());
  out.rows = out.own.data();
  return out;
}

}  // namespace

size_t GramCache::allow(const kernels::Grid& grid, int64_t unit) {
  grid_ = grid;
  unit_ = unit;
  return kernels::Triangle<double>::bytes(grid, unit);
}

const kernels::Triangle<double>& GramCache::of(const double* vectors, int64_t width,
                                               double* flops) {
  if (products_.empty()) {
    auto products = kernels::Triangle<double>::packed(grid_, unit_);
    grid_.each([&](const kernels::Place& place) {
      const kernels::Tile<double> tile = products.at(place);
      const int64_t rows = place.rows.size * unit_, cols = place.cols.size * unit_;
      const double* left = vectors + place.rows.first * unit_ * width;
      if (place.diagonal)
        return blas::gram(rows, width, 1.0, left, width, 0.0, tile.data, tile.stride);
      blas::gemm(false, true, rows, cols, width, 1.0, left, width,
                 vectors + place.cols.first * unit_ * width, width, 0.0, tile.data, tile.stride);
    });
    const auto items = static_cast<double>(grid_.samples() * unit_);
    *flops += items * items * static_cast<double>(width);
    products_ = std::move(products);
  }
  return products_;
}

std::vector<FactoredSide> sides_of(const FactoredFeatures& f, const Transform& t,
                                   GramCaches* caches, double* flops) {
  const int64_t positions = f.samples() * f.positions(), items = positions * f.outputs();
  GramCache* known = caches ? &caches->delta : nullptr;
  const auto delta = [&] { return factor_of(f.delta(), items, f.m(), t, 0, 1, known, flops); };
  std::vector<FactoredSide> sides;
  if (f.picks()) {
    sides.push_back(picked(f, transformed(f.delta(), items, f.m(), t, 0, 1)));
    if (t.modes[1].rank() > 0)
      sides.push_back(factored(f, delta(), stretched_columns(f, t.modes[1])));
    return sides;
  }
  sides.push_back(factored(f, delta(),
                           factor_of(f.h(), positions, f.k(), t, 1, t.modes.size(),
                                     caches ? &caches->h : nullptr, flops)));
  return sides;
}

double side_flops(const FactoredFeatures& f, const FactoredSide& s) {
  const auto rows = static_cast<double>(f.rows()), samples = static_cast<double>(f.samples());
  if (s.side.picks) {
    // Only equal columns meet.
    std::vector<double> counts(f.k(), 0.0);
    for (int64_t column : f.picked().columns) counts[column] += static_cast<double>(f.outputs());
    double total = 0;
    for (double count : counts) total += count * count * static_cast<double>(s.side.width);
    return total;
  }
  const auto t = static_cast<double>(f.positions());
  return t * t *
         (rows * rows * static_cast<double>(s.side.m) +
          samples * samples * static_cast<double>(s.side.k));
}

}  // namespace at::fit
