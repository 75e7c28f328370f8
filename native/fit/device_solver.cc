#include "fit/device_solver.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "core/buffer.h"
#include "device/functions/arrange.h"
#include "device/functions/fill.h"
#include "device/functions/scale.h"
#include "device/launch.h"
#include "fit/sides.h"
#include "fit/stream.h"
#include "kernels/device_contract.h"

namespace at::fit {

using device::Buffer;
using device::Pointer;

// After an error nothing of what was asked for counts.
template <class Work>
auto DeviceSolver::guarded(const Work& work) const {
  try {
    return work();
  } catch (const OverBudget& over) {
    stream_->abandon();
    throw Error("MEMORY_BUDGET",
                "A fit of " + std::to_string(rows_) + " rows on a device needs at least " +
                    describe_bytes(over.needed) + " of its memory but " +
                    describe_bytes(stream_->limit()) +
                    " are there: fit fewer samples or one output at a time, or on the cpu");
  } catch (...) {
    stream_->abandon();
    throw;
  }
}

DeviceSolver::DeviceSolver(std::shared_ptr<device::Stream> stream, FeatureSet features,
                           std::vector<bool> frozen)
    : stream_(std::move(stream)),
      frozen_(std::move(frozen)),
      rows_(features.at(0)->rows()),
      outputs_(features[0]->outputs()),
      samples_(features[0]->samples()) {
  grid_ = kernels::Grid::half(samples_, kernels::device_step<double>(*stream_, outputs_));
  guarded([&] {
    for (const auto& block : features) blocks_.emplace_back(*stream_, block);
    kernel_ = stream_->take<double>(rows_ * rows_);
    plan();
    keep_plain();
  });
}

// Half of what is left is for what does not depend on transforms, half for scratch.
void DeviceSolver::plan() {
  int64_t budget = static_cast<int64_t>(stream_->available() / 2 / sizeof(double));
  const auto take = [&](int64_t side) {
    Buffer<double> none;
    if (side * side > budget) return none;
    budget -= side * side;
    return stream_->take<double>(side * side);
  };
  const auto count = std::count(frozen_.begin(), frozen_.end(), true);
  if (count > 0) frozen_kernel_ = take(rows_);
  kept_.resize(blocks_.size());
  for (size_t b = 0; b < blocks_.size(); ++b) {
    if (frozen_[b]) continue;
    const DeviceFeatures& f = blocks_[b];
    if (!f.factored()) {
      if (f.host().size() > kReadCost) kept_[b].kernel = take(rows_);
    } else if (f.positions() == 1) {
      if (f.host().m() > 2 * kReadCost) kept_[b].delta = take(rows_);
      if (!f.picks() && f.host().k() > 2 * kReadCost) kept_[b].h = take(samples_);
    }
  }
}

namespace {

// What for_rows() fills and adds in a whole matrix.
void clear(device::Stream& stream, int64_t side, const Pointer<double>& to) {
  device::for_rows(stream, side, side, device::Fill<double>{to, side, 0});
}

void gram_of(device::Stream& stream, int64_t vectors, int64_t width, const Pointer<const double>& x,
             const Pointer<double>& to) {
  device::Gram<double> gram;
  gram.m = vectors, gram.k = gram.lda = width;
  gram.a = x;
  gram.c = to, gram.ldc = vectors;
  stream.gram(gram);
  device::for_rows(stream, vectors, vectors, device::MirrorUp<double>{to, vectors});
}

}  // namespace

// Kernels of dense blocks and inner products of factors before any transform.
void DeviceSolver::keep_plain() {
  for (size_t b = 0; b < blocks_.size(); ++b) {
    const Features& f = blocks_[b].host();
    if (kept_[b].delta)
      gram_of(*stream_, rows_, f.m(), blocks_[b].delta().at(), kept_[b].delta.at());
    if (kept_[b].h) gram_of(*stream_, samples_, f.k(), blocks_[b].h().at(), kept_[b].h.at());
    if (!kept_[b].kernel) continue;
    clear(*stream_, rows_, kept_[b].kernel.at());
    add_plain(b, kept_[b].kernel.at(), {});
  }
  stream_->synchronise();
}

DeviceSolver::Unit DeviceSolver::factors_of(size_t b) const {
  const DeviceFeatures& f = blocks_[b];
  Unit unit;
  unit.method = kernels::Method::kStructured;
  unit.delta = f.delta();
  unit.h = f.h();
  unit.columns = f.columns();
  unit.positions = f.positions();
  unit.rows = f.host().m();
  unit.cols = f.host().k();
  return unit;
}

void DeviceSolver::add(const Unit& unit, const Address& to, const Control& control) const {
  kernels::KernelTask task;
  task.samples1 = task.samples2 = samples_;
  task.outputs = outputs_;
  for (int64_t index = 0; index < grid_.count(); ++index) {
    const kernels::Place place = grid_.place(index);
    const Address tile = to + (place.rows.first * outputs_ * rows_ + place.cols.first * outputs_);
    kernels::add_on_device<double>(task, 0, *stream_, unit, outputs_, unit, outputs_, place,
                                   {tile, rows_}, control);
  }
}

void DeviceSolver::add(const Buffer<double>& kernel) const {
  device::for_rows(*stream_, rows_, rows_,
                   device::Plus<double>{kernel_.at(), kernel.at(), kernel_.at(), rows_});
}

void DeviceSolver::add_columns(const Buffer<double>& x, int64_t width, const Address& to,
                               const Control& control) const {
  Unit unit;
  unit.x = x;
  unit.size = width;
  add(unit, to, control);
}

int64_t DeviceSolver::columns_at_once(int64_t width, int64_t count) const {
  const auto numbers = static_cast<int64_t>(stream_->available() / 4 / sizeof(double));
  return std::clamp<int64_t>(numbers / std::max<int64_t>(1, rows_ * width), 1, count);
}

// The block's kernel before any transform.
void DeviceSolver::add_plain(size_t b, const Address& to, const Control& control) const {
  if (blocks_[b].factored()) return add(factors_of(b), to, control);
  add_columns(blocks_[b].x(), blocks_[b].host().size(), to, control);
}

void DeviceSolver::add_factors(size_t b, const Transform& transform, const Control& control) {
  const DeviceFeatures& f = blocks_[b];
  const int64_t places = samples_ * f.positions(), items = places * outputs_;
  const std::vector<Stretch>& modes = transform.modes;
  // One factor under the modes [first, last): with inner products that are known, only what the
  // transform adds to them.
  const auto factor = [&](const Buffer<double>& from, int64_t count, int64_t width, size_t first,
                          size_t last, const Buffer<double>& known, Pointer<const double>& of,
                          int64_t& size) {
    size = width;
    const Stretch& stretch = modes[first];
    if (known && last == first + 1 && stretch.rank() + kReadCost < width) {
      of = known.at();
      size = stretch.rank();
      if (size == 0) return Buffer<double>();
      const auto vectors = stream_->send(stretch.update_vectors());
      auto out = stream_->take<double>(count * size);
      device::Product<double> p;
      p.trans_b = true;
      p.m = count, p.n = p.ldc = size, p.k = p.lda = p.ldb = width;
      p.a = from.at(), p.b = vectors.at(), p.c = out.at();
      stream_->multiply(p);
      return out;
    }
    if (std::all_of(modes.begin() + static_cast<std::ptrdiff_t>(first),
                    modes.begin() + static_cast<std::ptrdiff_t>(last),
                    [](const Stretch& mode) { return mode.rank() == 0; }))
      return from;
    auto out = stream_->take<double>(count * width);
    device::for_rows(*stream_, count, width,
                     device::CopyRows<double>{from.at(), width, out.at(), width});
    int64_t outer = count, inner = width;
    for (size_t d = first; d < last; ++d) {
      inner /= transform.dims[d];
      DeviceStretch(*stream_, modes[d]).apply(*stream_, outer, inner, out.at());
      outer *= transform.dims[d];
    }
    return out;
  };
  Unit unit = factors_of(b);
  unit.delta =
      factor(f.delta(), items, f.host().m(), 0, 1, kept_[b].delta, unit.known_delta, unit.rows);
  if (!f.picks()) {
    unit.h =
        factor(f.h(), places, f.host().k(), 1, modes.size(), kept_[b].h, unit.known_h, unit.cols);
    return add(unit, kernel_.at(), control);
  }
  // The picked rows, and what stretching their columns adds.
  add(unit, kernel_.at(), control);
  if (modes[1].rank() == 0) return;
  const auto vectors = stream_->send(modes[1].update_vectors());
  unit.columns = {};
  unit.h = f.project(*stream_, modes[1].rank(), vectors.at());
  unit.cols = modes[1].rank();
  add(unit, kernel_.at(), control);
}

void DeviceSolver::add_flat(size_t b, const Stretch& stretch, const Control& control) {
  if (kept_[b].kernel) {
    add(kept_[b].kernel);
  } else {
    add_plain(b, kernel_.at(), control);
  }
  // Σ (z² − 1) y yᵀ with y what each direction says of the rows.
  const auto vectors = stream_->send(stretch.update_vectors());
  for (int64_t j = 0; j < stretch.rank(); ++j) {
    const auto y = stream_->take<double>(rows_);
    device::for_rows(*stream_, 1, rows_, device::Fill<double>{y.at(), rows_, 0});
    blocks_[b].apply(*stream_, vectors.at(j * stretch.dim), y.at());
    add_columns(y, 1, kernel_.at(), control);
  }
}

// Columns of the transformed features, as many at a time as fit.
void DeviceSolver::add_whole(size_t b, const Transform& transform, const Address& to,
                             const Control& control) const {
  const DeviceFeatures& f = blocks_[b];
  const int64_t m = f.host().m(), k = f.host().k();
  const bool modes = transform.numbers.empty();
  Buffer<double> numbers, parts;
  std::vector<DeviceStretch> stretches;
  if (modes)
    for (const Stretch& stretch : transform.modes) stretches.emplace_back(*stream_, stretch);
  else
    numbers = stream_->send(transform.numbers);
  const int64_t left = modes ? stretches[0].rank() : 0;
  if (left > 0) {
    parts = stream_->take<double>(rows_ * left * k);
    device::Product<double> p;
    p.m = left, p.n = p.ldb = p.ldc = k, p.k = p.lda = m;
    p.a = stretches[0].vectors();
    p.b = f.x().at(), p.step_b = m * k;
    p.c = parts.at(), p.step_c = left * k;
    p.batch = rows_;
    stream_->multiply(p);
  }
  const int64_t step = columns_at_once(k, m);
  const auto x = stream_->take<double>(rows_ * step * k);
  for (int64_t first = 0; first < m; first += step) {
    control.poll();
    const int64_t count = std::min(step, m - first), width = count * k;
    f.expand(*stream_, first, count, x.at());
    if (!modes)
      device::for_rows(*stream_, rows_, width,
                       device::ScaleColumns<double>{numbers.at(first * k), x.at(), width});
    if (left > 0) {
      device::Product<double> p;
      p.trans_a = true;
      p.m = count, p.n = p.ldb = p.ldc = k, p.k = left;
      p.a = stretches[0].weighted() + first, p.lda = m;
      p.b = parts.at(), p.step_b = left * k;
      p.c = x.at(), p.step_c = width;
      p.beta = 1;
      p.batch = rows_;
      stream_->multiply(p);
    }
    int64_t outer = rows_ * count, inner = k;
    for (size_t d = 1; d < stretches.size(); ++d) {
      inner /= transform.dims[d];
      stretches[d].apply(*stream_, outer, inner, x.at());
      outer *= transform.dims[d];
    }
    add_columns(x, width, to, control);
  }
}

// As stream_update() has it: ⟨√a uᵀX M_right, …⟩ + ⟨X v √g, …⟩.
void DeviceSolver::add_update(size_t b, const Transform& transform, const Control& control) {
  add(kept_[b].kernel);
  const DeviceFeatures& f = blocks_[b];
  const int64_t m = f.host().m(), k = f.host().k();
  const int64_t l = transform.modes[0].rank(), q = transform.modes[1].rank();
  const auto u = stream_->send(transform.modes[0].update_vectors());
  const auto v = stream_->send(transform.modes[1].update_vectors());
  const DeviceStretch right(*stream_, transform.modes[1]);
  const int64_t rows = l > 0 ? columns_at_once(k, l) : 0;
  const int64_t columns = q > 0 ? columns_at_once(m, q) : 0;
  for (int64_t first = 0; first < l; first += rows) {
    control.poll();
    const int64_t count = std::min(rows, l - first);
    const auto x = stream_->take<double>(rows_ * count * k);
    device::Product<double> p;
    p.m = count, p.n = p.ldb = p.ldc = k, p.k = p.lda = m;
    p.a = u.at(first * m);
    p.b = f.x().at(), p.step_b = m * k;
    p.c = x.at(), p.step_c = count * k;
    p.batch = rows_;
    stream_->multiply(p);
    right.apply(*stream_, rows_ * count, 1, x.at());
    add_columns(x, count * k, kernel_.at(), control);
  }
  for (int64_t first = 0; first < q; first += columns) {
    control.poll();
    const int64_t count = std::min(columns, q - first);
    const auto x = stream_->take<double>(rows_ * m * count);
    device::Product<double> p;
    p.trans_b = true;
    p.m = rows_ * m, p.n = p.ldc = count, p.k = p.lda = p.ldb = k;
    p.a = f.x().at();
    p.b = v.at(first * k);
    p.c = x.at();
    stream_->multiply(p);
    add_columns(x, m * count, kernel_.at(), control);
  }
}

void DeviceSolver::add_block(size_t b, const Transform& transform, const Control& control) {
  const DeviceFeatures& f = blocks_[b];
  if (!transform.numbers.empty()) return add_whole(b, transform, kernel_.at(), control);
  if (transform.modes.size() == 1) return add_flat(b, transform.modes[0], control);
  if (f.factored()) return add_factors(b, transform, control);
  if (kept_[b].kernel && transform.is_identity()) return add(kept_[b].kernel);
  if (kept_[b].kernel && transform.modes.size() == 2 && update_pays(f.host(), transform))
    return add_update(b, transform, control);
  add_whole(b, transform, kernel_.at(), control);
}

std::vector<double> DeviceSolver::build(const std::vector<Transform>& transforms,
                                        const Control& control) {
  return guarded([&] {
    const double before = stream_->counts().flops;
    clear(*stream_, rows_, kernel_.at());
    const bool kept = static_cast<bool>(frozen_kernel_);
    const Address plain = kept ? frozen_kernel_.at() : kernel_.at();
    if (kept && !frozen_made_) clear(*stream_, rows_, plain);
    for (size_t b = 0; b < blocks_.size(); ++b)
      if (frozen_[b] && !frozen_made_) add_plain(b, plain, control);
    if (kept) add(frozen_kernel_);
    for (size_t b = 0; b < blocks_.size(); ++b)
      if (!frozen_[b]) add_block(b, transforms[b], control);
    device::for_rows(*stream_, rows_, rows_, device::MirrorUp<double>{kernel_.at(), rows_});
    const auto diagonal = stream_->take<double>(rows_);
    device::for_rows(*stream_, rows_, 1,
                     device::CopyRows<double>{kernel_.at(), rows_ + 1, diagonal.at(), 1});
    auto found = stream_->fetch(diagonal, rows_);
    frozen_made_ = kept;
    flops_ = stream_->counts().flops - before;
    return found;
  });
}

std::unique_ptr<linear::DeviceCholesky> DeviceSolver::factor(double ridge) {
  return guarded(
      [&] { return std::make_unique<linear::DeviceCholesky>(stream_, rows_, kernel_, ridge); });
}

void DeviceSolver::apply(const double* b, double* fit) const {
  guarded([&] {
    int64_t size = 0;
    for (const DeviceFeatures& block : blocks_) size += block.host().size();
    const auto all = stream_->send(b, size), y = stream_->send(fit, rows_);
    int64_t at = 0;
    for (const DeviceFeatures& block : blocks_) {
      block.apply(*stream_, all.at(at), y.at());
      at += block.host().size();
    }
    stream_->fetch(fit, y, rows_);
  });
}

void DeviceSolver::adjoint(size_t block, const std::vector<double>& a, double* s) const {
  guarded([&] {
    const int64_t size = blocks_[block].host().size();
    const auto from = stream_->send(a);
    const auto to = stream_->take<double>(size);
    blocks_[block].adjoint(*stream_, from.at(), to.at());
    stream_->fetch(s, to, size);
  });
}

}  // namespace at::fit
