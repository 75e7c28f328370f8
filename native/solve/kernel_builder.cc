#include "solve/kernel_builder.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <utility>

#include "core/blas.h"
#include "core/lapack.h"
#include "core/parallel.h"
#include "solve/stream.h"

namespace at::solve {

namespace {

// Reading a cached entry costs about as much as this many columns of a product.
constexpr int64_t kReadCost = 16;

const FactoredFeatures* factors_of(const Features& features) {
  return dynamic_cast<const FactoredFeatures*>(&features);
}

void clear(const Tiles& target) {
  const Grid& grid = target.grid();
  for_tiles(grid, [&](int64_t t, int64_t i, int64_t j) {
    const Tile tile = target.at(t, i, j);
    for (int64_t r = 0; r < grid.size(i) * target.unit(); ++r)
      std::fill_n(tile.data + r * tile.stride, grid.size(j) * target.unit(), 0.0);
  });
}

// The tile's transpose into `to`: of a tile on the diagonal what lies below it.
void reflect(const Tile& tile, const Tile& to, int64_t rows, int64_t cols, bool diagonal) {
  constexpr int64_t kSide = 32;  // both strips stay in the first-level cache
  for (int64_t r0 = 0; r0 < rows; r0 += kSide)
    for (int64_t c0 = 0; c0 < cols; c0 += kSide)
      for (int64_t c = c0; c < std::min(cols, c0 + kSide); ++c)
        for (int64_t r = diagonal ? std::max(r0, c + 1) : r0; r < std::min(rows, r0 + kSide); ++r)
          to.data[c * to.stride + r] = tile.data[r * tile.stride + c];
}

void mirror(const Tiles& matrix) {
  const Grid& grid = matrix.grid();
  for_tiles(grid, [&](int64_t t, int64_t i, int64_t j) {
    reflect(matrix.at(t, i, j), matrix.at(t, j, i), grid.size(i) * matrix.unit(),
            grid.size(j) * matrix.unit(), i == j);
  });
}

}  // namespace

KernelBuilder::KernelBuilder(FeatureSet features, std::vector<bool> frozen, size_t cache_budget)
    : features_(std::move(features)), frozen_(std::move(frozen)), caches_(features_.size()) {
  int64_t positions = 1;
  for (const auto& f : features_)
    if (const auto* factored = factors_of(*f))
      positions = std::max(positions, factored->positions());
  grid_ = Grid(features_.at(0)->samples(), features_.at(0)->outputs(), positions);
  plan(cache_budget);
}

void KernelBuilder::allow(Cache& cache, int64_t unit, size_t* left) {
  const size_t bytes = Tiles::bytes(grid_, unit);
  if (bytes > *left) return;
  *left -= bytes;
  cached_ += bytes;
  cache.allowed = true;
}

void KernelBuilder::plan(size_t budget) {
  if (std::find(frozen_.begin(), frozen_.end(), true) != frozen_.end())
    cached_ += Tiles::bytes(grid_, grid_.outputs);
  for (size_t b = 0; b < features_.size(); ++b) {
    if (frozen_[b]) continue;
    const auto* factored = factors_of(*features_[b]);
    if (!factored) {
      // A kernel is worth keeping where it is dearer to make than to read.
      if (features_[b]->size() > kReadCost) allow(caches_[b].kernel, grid_.outputs, &budget);
    } else if (factored->positions() == 1) {
      // One wide factor against many narrow ones: the widest saves most.
      if (factored->m() > 2 * kReadCost) allow(caches_[b].delta, grid_.outputs, &budget);
      if (factored->columns().empty() && factored->k() > 2 * kReadCost)
        allow(caches_[b].h, 1, &budget);
    }
  }
}

void KernelBuilder::add_block(size_t b, const Tiles& target, const Control& control) const {
  const Features& f = *features_[b];
  const Transform none = Transform::identity({f.m(), f.k()});
  const auto* factored = factors_of(f);
  if (!factored) {
    stream_transformed(f, none, control,
                       [&](const double* x, int64_t width) { add_products(x, width, target); });
    return;
  }
  Term term;
  term.positions = factored->positions();
  term.delta = direct(factored->delta(), f.rows() * term.positions, f.m(), none, 0, 1);
  term.h = factored->columns().empty()
               ? direct(factored->h(), f.samples() * term.positions, f.k(), none, 1, 2)
               : of_columns(*factored, none.modes[1]);
  parallel_for(grid_.count(), 1, [&](int64_t first, int64_t last) {
    std::vector<double> scratch;
    for (int64_t t = first; t < last; ++t) {
      int64_t i, j;
      grid_.place(t, &i, &j);
      add_term(term, grid_, t, i, j, target.at(t, i, j), scratch);
    }
  });
}

// Of the lower triangle of one block's kernel, nothing stretched.
double KernelBuilder::block_flops(const Features& f) {
  const double n = static_cast<double>(f.rows()), samples = static_cast<double>(f.samples());
  const auto* factored = factors_of(f);
  if (!factored) return n * n * static_cast<double>(f.size());
  const double t = static_cast<double>(factored->positions());
  const double k = factored->columns().empty() ? static_cast<double>(f.k()) : 0;
  return t * t * (n * n * static_cast<double>(f.m()) + samples * samples * k);
}

const Tiles& KernelBuilder::kernel_of(size_t b, const Control& control) {
  Cache& cache = caches_[b].kernel;
  if (cache.tiles.empty()) {
    Tiles tiles = Tiles::packed(grid_, grid_.outputs);
    clear(tiles);
    add_block(b, tiles, control);
    flops_ += block_flops(*features_[b]);
    cache.tiles = tiles;
  }
  return cache.tiles;
}

KernelBuilder::Gram KernelBuilder::direct(const double* factor, int64_t items, int64_t width,
                                          const Transform& transform, size_t first_mode,
                                          size_t last_mode) {
  Gram gram;
  gram.rows = factor;
  gram.width = width;
  int64_t outer = items, inner = width;
  for (size_t d = first_mode; d < last_mode; ++d) {
    inner /= transform.dims[d];
    if (transform.modes[d].rank() > 0) {
      if (gram.storage.empty()) gram.storage.assign(factor, factor + items * width);
      transform.modes[d].apply(1, outer, inner, gram.storage.data());
    }
    outer *= transform.dims[d];
  }
  if (!gram.storage.empty()) gram.rows = gram.storage.data();
  return gram;
}

KernelBuilder::Gram KernelBuilder::gram(const double* factor, int64_t items,
                                        const Transform& transform, size_t first_mode,
                                        size_t last_mode, int64_t width, Cache& cache) {
  const Stretch& stretch = transform.modes[first_mode];
  const bool single = last_mode == first_mode + 1;
  if (!cache.allowed || !single || stretch.rank() + kReadCost >= width)
    return direct(factor, items, width, transform, first_mode, last_mode);
  if (cache.tiles.empty()) {
    Tiles tiles = Tiles::packed(grid_, items / grid_.samples);
    clear(tiles);
    add_products(factor, width, tiles);
    flops_ += static_cast<double>(items) * static_cast<double>(items) * static_cast<double>(width);
    cache.tiles = tiles;
  }
  Gram out;
  out.base = &cache.tiles;
  out.width = stretch.rank();
  if (out.width == 0) return out;
  const std::vector<double> vectors = stretch.update_vectors();
  out.storage.resize(items * out.width);
  blas::parallel_gemm(false, true, items, out.width, width, 1.0, factor, width, vectors.data(),
                      width, 0.0, out.storage.data(), out.width);
  out.rows = out.storage.data();
  return out;
}

KernelBuilder::Gram KernelBuilder::of_columns(const FactoredFeatures& f, const Stretch& stretch) {
  Gram out;
  out.columns = f.columns().data();
  out.width = stretch.rank();
  out.storage.resize(f.columns().size() * static_cast<size_t>(out.width));
  f.project(stretch.update_vectors().data(), out.width, out.storage.data());
  out.rows = out.storage.data();
  return out;
}

KernelBuilder::Gram KernelBuilder::right_gram(const FactoredFeatures& f, const Transform& transform,
                                              Cache& cache) {
  if (!f.columns().empty()) return of_columns(f, transform.modes[1]);
  return gram(f.h(), f.samples() * f.positions(), transform, 1, transform.modes.size(), f.k(),
              cache);
}

KernelBuilder::Term KernelBuilder::factored_term(size_t b, const Transform& transform) {
  const auto& f = *factors_of(*features_[b]);
  Term term;
  term.positions = f.positions();
  term.delta = gram(f.delta(), f.rows() * f.positions(), transform, 0, 1, f.m(), caches_[b].delta);
  term.h = right_gram(f, transform, caches_[b].h);
  return term;
}

void KernelBuilder::fill_tile(const Gram& gram, const Grid& grid, int64_t unit, int64_t t,
                              int64_t i, int64_t j, double* out) {
  const int64_t rows = grid.size(i) * unit, cols = grid.size(j) * unit;
  if (gram.base) {
    const Tile tile = gram.base->at(t, i, j);
    for (int64_t r = 0; r < rows; ++r)
      std::copy(tile.data + r * tile.stride, tile.data + r * tile.stride + cols, out + r * cols);
  }
  if (gram.columns) {
    const int32_t *a = gram.columns + grid.first(i) * unit,
                  *b = gram.columns + grid.first(j) * unit;
    for (int64_t r = 0; r < rows; ++r)
      for (int64_t c = 0; c < cols; ++c) out[r * cols + c] = a[r] == b[c] ? 1 : 0;
  }
  if (gram.width == 0) return;
  blas::gemm(false, true, rows, cols, gram.width, 1.0,
             gram.rows + grid.first(i) * unit * gram.width, gram.width,
             gram.rows + grid.first(j) * unit * gram.width, gram.width,
             gram.base || gram.columns ? 1.0 : 0.0, out, cols);
}

void KernelBuilder::add_term(const Term& term, const Grid& grid, int64_t t, int64_t i, int64_t j,
                             Tile to, std::vector<double>& scratch) {
  const int64_t p = term.positions, o = grid.outputs;
  const int64_t ni = grid.size(i), nj = grid.size(j);
  const int64_t ri = ni * o * p, rj = nj * o * p, hj = nj * p;
  scratch.resize(ri * rj + ni * p * hj);
  double* d = scratch.data();
  double* h = d + ri * rj;
  fill_tile(term.delta, grid, o * p, t, i, j, d);
  fill_tile(term.h, grid, p, t, i, j, h);
  for (int64_t a = 0; a < ni; ++a) {
    for (int64_t q = 0; q < o; ++q) {
      double* out = to.data + (a * o + q) * to.stride;
      if (p == 1) {
        const double* dr = d + (a * o + q) * rj;
        const double* hr = h + a * hj;
        if (o == 1) {
          for (int64_t b = 0; b < nj; ++b) out[b] += dr[b] * hr[b];
        } else {
          for (int64_t b = 0; b < nj; ++b)
            for (int64_t c = 0; c < o; ++c) out[b * o + c] += dr[b * o + c] * hr[b];
        }
        continue;
      }
      for (int64_t b = 0; b < nj; ++b)
        for (int64_t c = 0; c < o; ++c) {
          double total = 0;
          for (int64_t x = 0; x < p; ++x)
            total += lapack::dot(p, d + ((a * o + q) * p + x) * rj + (b * o + c) * p,
                                 h + (a * p + x) * hj + b * p);
          out[b * o + c] += total;
        }
    }
  }
}

bool KernelBuilder::update_pays(const Features& f, const Transform& transform) const {
  const double n = static_cast<double>(f.rows()), size = static_cast<double>(f.size());
  const double l = static_cast<double>(transform.modes[0].rank());
  const double q = static_cast<double>(transform.modes[1].rank());
  const double whole = n * n * size + 2 * n * size * ((l > 0 ? f.m() : 0) + 2 * q);
  const double update = n * n * (update_width(f, transform) + kReadCost) +
                        2 * n * (size * (l + q) + 2 * l * q * f.k());
  return update < whole;
}

const Tiles* KernelBuilder::frozen_kernel(const Control& control) {
  if (std::find(frozen_.begin(), frozen_.end(), true) == frozen_.end()) return nullptr;
  if (frozen_kernel_.empty()) {
    Tiles tiles = Tiles::packed(grid_, grid_.outputs);
    clear(tiles);
    for (size_t b = 0; b < features_.size(); ++b)
      if (frozen_[b]) {
        add_block(b, tiles, control);
        flops_ += block_flops(*features_[b]);
      }
    frozen_kernel_ = tiles;
  }
  return &frozen_kernel_;
}

void KernelBuilder::add_flat(size_t b, const Stretch& stretch, Parts& parts,
                             const Control& control) {
  const Features& f = *features_[b];
  if (factors_of(f))
    parts.terms.push_back(factored_term(b, Transform::identity({f.m(), f.k()})));
  else if (caches_[b].kernel.allowed)
    parts.bases.push_back(&kernel_of(b, control));
  else
    parts.whole.push_back(b);
  for (int64_t j = 0; j < stretch.rank(); ++j) {
    const double z = stretch.z[j];
    Outer outer{std::vector<double>(f.rows(), 0.0), (z - 1) * (z + 1)};
    f.apply(stretch.vectors.data() + j * f.size(), outer.y.data());
    parts.outers.push_back(std::move(outer));
  }
}

KernelBuilder::Parts KernelBuilder::split(const std::vector<Transform>& transforms,
                                          const Control& control) {
  Parts parts;
  if (const Tiles* frozen = frozen_kernel(control)) parts.bases.push_back(frozen);
  for (size_t b = 0; b < features_.size(); ++b) {
    if (frozen_[b]) continue;
    control.poll();
    const Features& f = *features_[b];
    const Transform& transform = transforms[b];
    if (!transform.numbers.empty()) {
      parts.whole.push_back(b);
    } else if (transform.modes.size() == 1) {
      add_flat(b, transform.modes[0], parts, control);
    } else if (factors_of(f)) {
      parts.terms.push_back(factored_term(b, transform));
    } else if (transform.modes.size() == 2 && caches_[b].kernel.allowed &&
               update_pays(f, transform)) {
      parts.bases.push_back(&kernel_of(b, control));
      if (!transform.is_identity()) parts.updates.push_back(b);
    } else {
      parts.whole.push_back(b);
    }
  }
  return parts;
}

void KernelBuilder::fill(const Parts& parts, const Tiles& target, const Control& control,
                         bool whole) const {
  parallel_for(grid_.count(), 1, [&](int64_t first, int64_t last) {
    std::vector<double> scratch;
    for (int64_t t = first; t < last; ++t) {
      control.poll();
      int64_t i, j;
      grid_.place(t, &i, &j);
      const Tile tile = target.at(t, i, j);
      const int64_t rows = grid_.size(i) * grid_.outputs, cols = grid_.size(j) * grid_.outputs;
      const int64_t row0 = grid_.first(i) * grid_.outputs, col0 = grid_.first(j) * grid_.outputs;
      for (int64_t r = 0; r < rows; ++r) {
        double* out = tile.data + r * tile.stride;
        std::fill_n(out, cols, 0.0);
        for (const Tiles* base : parts.bases) {
          const Tile from = base->at(t, i, j);
          for (int64_t c = 0; c < cols; ++c) out[c] += from.data[r * from.stride + c];
        }
        for (const Outer& outer : parts.outers) {
          const double w = outer.weight * outer.y[row0 + r];
          for (int64_t c = 0; c < cols; ++c) out[c] += w * outer.y[col0 + c];
        }
      }
      for (const Term& term : parts.terms) add_term(term, grid_, t, i, j, tile, scratch);
      if (whole) reflect(tile, target.at(t, j, i), rows, cols, i == j);
    }
  });
}

void KernelBuilder::build(const std::vector<Transform>& transforms, double* k,
                          const Control& control) {
  const Tiles target = Tiles::in_matrix(grid_, k);
  const double n = static_cast<double>(rows());
  const double pairs = static_cast<double>(grid_.samples) * static_cast<double>(grid_.samples);
  flops_ = 0;
  const Parts parts = split(transforms, control);
  const bool streamed = !parts.updates.empty() || !parts.whole.empty();
  fill(parts, target, control, !streamed);
  for (const Term& term : parts.terms) {
    const double t2 = static_cast<double>(term.positions) * static_cast<double>(term.positions);
    flops_ += t2 * (n * n * static_cast<double>(term.delta.width) +
                    pairs * static_cast<double>(term.h.width));
  }
  const Sink sink = [&](const double* x, int64_t width) {
    add_products(x, width, target);
    flops_ += n * n * static_cast<double>(width);
  };
  const auto ranks = [&](size_t b) {
    const auto& modes = transforms[b].modes;
    const bool two = modes.size() == 2;
    return std::pair<double, double>(two ? modes[0].rank() : 0, two ? modes[1].rank() : 0);
  };
  for (size_t b : parts.updates) {
    const Features& f = *features_[b];
    const auto [l, q] = ranks(b);
    flops_ +=
        2 * n * (static_cast<double>(f.size()) * (l + q) + 2 * l * q * static_cast<double>(f.k()));
    stream_update(f, transforms[b], control, sink);
  }
  for (size_t b : parts.whole) {
    const Features& f = *features_[b];
    const auto [l, q] = ranks(b);
    flops_ +=
        2 * n * static_cast<double>(f.size()) * ((l > 0 ? static_cast<double>(f.m()) : 0) + 2 * q);
    const bool flat = transforms[b].numbers.empty() && transforms[b].modes.size() == 1;
    stream_transformed(f, flat ? Transform::identity({f.m(), f.k()}) : transforms[b], control,
                       sink);
  }
  if (streamed) mirror(target);
}

}  // namespace at::solve
