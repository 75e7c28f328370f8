#include "fit/kernel_builder.h"

#include <algorithm>
#include <utility>

#include "core/parallel.h"
#include "fit/stream.h"
#include "kernels/add_tile.h"

namespace at::fit {

namespace {

// Rows of a tile: a few tiles of doubles stay in the second-level cache.
constexpr int64_t kTileRows = 128;

const FactoredFeatures* factors_of(const Features& features) {
  return dynamic_cast<const FactoredFeatures*>(&features);
}

}  // namespace

KernelBuilder::KernelBuilder(FeatureSet features, std::vector<bool> frozen, size_t cache_budget)
    : features_(std::move(features)), kept_(features_.size()) {
  const Features& first = *features_.at(0);
  grid_ = kernels::Grid::half(first.samples(), std::max<int64_t>(1, kTileRows / first.outputs()));
  for (size_t b = 0; b < features_.size(); ++b) (frozen[b] ? frozen_ : free_).push_back(b);
  plan(cache_budget);
}

void KernelBuilder::plan(size_t budget) {
  const int64_t outputs = features_[0]->outputs();
  if (!frozen_.empty()) cached_ += Triangle::bytes(grid_, outputs);
  const auto fits = [&](int64_t unit) {
    const size_t bytes = Triangle::bytes(grid_, unit);
    if (bytes > budget) return false;
    budget -= bytes;
    cached_ += bytes;
    return true;
  };
  for (size_t b : free_) {
    const auto* factored = factors_of(*features_[b]);
    Kept& kept = kept_[b];
    if (!factored) {
      // A kernel is worth keeping where making it costs more than reading it.
      kept.allowed = features_[b]->size() > kReadCost && fits(outputs);
    } else if (factored->positions() == 1) {
      // One wide factor against many narrow ones: the widest saves most.
      if (factored->m() > 2 * kReadCost && fits(outputs)) kept.grams.delta.allow(grid_, outputs);
      if (!factored->picks() && factored->k() > 2 * kReadCost && fits(1))
        kept.grams.h.allow(grid_, 1);
    }
  }
}

Transform KernelBuilder::unstretched(size_t b) const {
  return Transform::identity({features_[b]->m(), features_[b]->k()});
}

// Blocks side by side: most of their products are too small for more than one thread.
void KernelBuilder::make_sides(Parts& parts) {
  const auto count = static_cast<int64_t>(parts.factors.size());
  std::vector<std::vector<FactoredSide>> sides(count);
  std::vector<double> flops(count, 0.0);
  parallel_for(count, 1, [&](int64_t first, int64_t last) {
    for (int64_t i = first; i < last; ++i) {
      const auto& [block, transform, caches] = parts.factors[i];
      const FactoredFeatures& f = *factors_of(*features_[block]);
      sides[i] = sides_of(f, transform, caches, &flops[i]);
      for (const FactoredSide& side : sides[i]) flops[i] += side_flops(f, side);
    }
  });
  for (int64_t i = 0; i < count; ++i) {
    flops_ += flops[i];
    for (FactoredSide& side : sides[i]) parts.sides.push_back(std::move(side));
  }
}

// The block's kernel before any transform.
void KernelBuilder::add_plain(size_t b, Parts& parts) {
  if (factors_of(*features_[b]))
    parts.factors.push_back({b, unstretched(b), nullptr});
  else
    parts.whole.push_back({b, unstretched(b)});
}

// The kernel of some blocks before any transform, made the first time.
const kernels::Triangle<double>& KernelBuilder::kept(Triangle& kernel,
                                                     const std::vector<size_t>& blocks,
                                                     const Control& control) {
  if (kernel.empty()) {
    Parts parts;
    for (size_t b : blocks) add_plain(b, parts);
    make_sides(parts);
    Triangle made = Triangle::packed(grid_, features_[0]->outputs());
    assemble(parts, made, false, control);
    kernel = std::move(made);
  }
  return kernel;
}

void KernelBuilder::add_flat(size_t b, const Stretch& stretch, Parts& parts,
                             const Control& control) {
  const Features& f = *features_[b];
  if (factors_of(f))
    parts.factors.push_back({b, unstretched(b), &kept_[b].grams});
  else if (kept_[b].allowed)
    parts.bases.push_back(kept(kept_[b].kernel, {b}, control));
  else
    parts.whole.push_back({b, unstretched(b)});
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
  if (!frozen_.empty()) parts.bases.push_back(kept(frozen_kernel_, frozen_, control));
  for (size_t b : free_) {
    control.poll();
    const Features& f = *features_[b];
    const Transform& transform = transforms[b];
    if (!transform.numbers.empty()) {
      parts.whole.push_back({b, transform});
    } else if (transform.modes.size() == 1) {
      add_flat(b, transform.modes[0], parts, control);
    } else if (factors_of(f)) {
      parts.factors.push_back({b, transform, &kept_[b].grams});
    } else if (transform.modes.size() == 2 && kept_[b].allowed && update_pays(f, transform)) {
      parts.bases.push_back(kept(kept_[b].kernel, {b}, control));
      if (!transform.is_identity()) parts.updates.push_back({b, transform});
    } else {
      parts.whole.push_back({b, transform});
    }
  }
  make_sides(parts);
  return parts;
}

// What a tile starts from, before any products.
void KernelBuilder::begin(const Parts& parts, const kernels::Place& place, int64_t outputs,
                          const kernels::Tile<double>& tile) {
  const int64_t rows = place.rows.size * outputs, cols = place.cols.size * outputs;
  const int64_t row0 = place.rows.first * outputs, col0 = place.cols.first * outputs;
  for (int64_t r = 0; r < rows; ++r) {
    double* out = tile.data + r * tile.stride;
    std::fill_n(out, cols, 0.0);
    for (const Triangle& base : parts.bases) {
      const kernels::Tile<double> from = base.at(place);
      for (int64_t c = 0; c < cols; ++c) out[c] += from.data[r * from.stride + c];
    }
    for (const Outer& outer : parts.outers) {
      const double w = outer.weight * outer.y[row0 + r];
      for (int64_t c = 0; c < cols; ++c) out[c] += w * outer.y[col0 + c];
    }
  }
}

// full: the upper triangle too, of a target in a matrix.
void KernelBuilder::assemble(const Parts& parts, const Triangle& target, bool full,
                             const Control& control) {
  const int64_t outputs = target.unit();
  const bool last = parts.updates.empty() && parts.whole.empty();
  grid_.each([&](const kernels::Place& place) {
    control.poll();
    const kernels::Tile<double> tile = target.at(place);
    begin(parts, place, outputs, tile);
    for (const FactoredSide& s : parts.sides)
      kernels::add_tile<double>({s.side, s.side, place, tile}, pool_, control);
    if (full && last)
      kernels::reflect(tile, target.across(place), place.rows.size * outputs,
                       place.cols.size * outputs, place.diagonal);
  });
  if (last) return;
  stream(parts, target, control);
  if (full) target.mirror();
}

void KernelBuilder::stream(const Parts& parts, const Triangle& target, const Control& control) {
  const auto n = static_cast<double>(rows());
  const Sink sink = [&](const double* x, int64_t width) {
    add_products(x, width, target);
    flops_ += n * n * static_cast<double>(width);
  };
  const auto ranks = [](const Transform& transform) {
    const auto& modes = transform.modes;
    const bool two = modes.size() == 2;
    return std::pair<double, double>(two ? modes[0].rank() : 0, two ? modes[1].rank() : 0);
  };
  for (const auto& [block, transform] : parts.updates) {
    const Features& f = *features_[block];
    const auto [l, q] = ranks(transform);
    flops_ +=
        2 * n * (static_cast<double>(f.size()) * (l + q) + 2 * l * q * static_cast<double>(f.k()));
    stream_update(f, transform, control, sink);
  }
  for (const auto& [block, transform] : parts.whole) {
    const Features& f = *features_[block];
    const auto [l, q] = ranks(transform);
    flops_ +=
        2 * n * static_cast<double>(f.size()) * ((l > 0 ? static_cast<double>(f.m()) : 0) + 2 * q);
    stream_transformed(f, transform, control, sink);
  }
}

void KernelBuilder::build(const std::vector<Transform>& transforms, double* k,
                          const Control& control) {
  flops_ = 0;
  const Parts parts = split(transforms, control);
  assemble(parts, Triangle::in_matrix(grid_, features_[0]->outputs(), k), true, control);
}

}  // namespace at::fit
