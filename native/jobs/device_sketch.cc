#include "jobs/device_sketch.h"

#include <algorithm>

#include "core/parallel.h"
#include "core/shape.h"
#include "device/functions/fill.h"
#include "device/functions/philox.h"
#include "jobs/device_form.h"

namespace at {
inline namespace AT_PRECISION {

using device::MapTable;
using kernels::SparseMap;

MapTable<Real> DeviceMaps::table(const SparseMap& map) {
  constexpr int64_t kTile = MapTable<Real>::kTile;
  const int64_t size = map.size(), run = map.run();
  Held& held = maps_[&map];
  if (!held.signs) {
    const std::vector<int64_t>& wide = map.shifts();
    const std::vector<int32_t> shifts(wide.begin(), wide.end());
    const int64_t tiles = (size + kTile - 1) / kTile;
    std::vector<std::vector<int32_t>> reached(static_cast<size_t>(tiles));
    for (size_t r = 0; r < shifts.size(); ++r) {
      // Places [shift, shift + run), which may go on from 0.
      const int64_t end = shifts[r] + run, whole = std::min(end, size);
      for (int64_t tile = shifts[r] / kTile; tile * kTile < whole; ++tile)
        reached[static_cast<size_t>(tile)].push_back(static_cast<int32_t>(r));
      for (int64_t tile = 0; tile * kTile < end - size; ++tile) {
        auto& own = reached[static_cast<size_t>(tile)];
        if (own.empty() || own.back() != static_cast<int32_t>(r))
          own.push_back(static_cast<int32_t>(r));
      }
    }
    std::vector<int32_t> starts{0}, runs;
    for (const auto& own : reached) {
      runs.insert(runs.end(), own.begin(), own.end());
      starts.push_back(static_cast<int32_t>(runs.size()));
    }
    Held made{stream_->send(shifts), stream_->send(starts), stream_->send(runs),
              stream_->take<Real>(map.length())};
    const kernels::Philox words = map.sign_words();
    const int64_t block = device::Signs<Real>::kBlock;
    device::for_rows(*stream_, (map.length() + block - 1) / block, block,
                     device::Signs<Real>{
                         made.signs.at(), map.length(), {words.key, words.stream, words.purpose}});
    // They are there from now on, whatever fails later.
    stream_->synchronise();
    held = std::move(made);
  }
  return {
      held.shifts.at(), held.starts.at(), held.runs.at(), held.signs.at(), map.length(), size, run};
}

const DeviceMaps::Mask& DeviceMaps::mask(int parameter, const std::vector<Kept>& kept,
                                         const MatrixDims& dims) {
  Mask& held = masks_[{parameter, dims.cols, dims.transposed}];
  if (held.places) return held;
  std::vector<int32_t> places, rows, columns;
  for (const Kept& one : kept) {
    const int64_t e = one.element;
    places.push_back(static_cast<int32_t>(one.place));
    rows.push_back(static_cast<int32_t>(dims.transposed ? e % dims.rows : e / dims.cols));
    columns.push_back(static_cast<int32_t>(dims.transposed ? e / dims.rows : e % dims.cols));
  }
  Mask made{stream_->send(places), stream_->send(rows), stream_->send(columns),
            static_cast<int64_t>(kept.size())};
  stream_->synchronise();
  return held = std::move(made);
}

DeviceSketchSink::DeviceSketchSink(std::shared_ptr<device::Stream> stream, DeviceMaps& maps,
                                   SketchPlan& plan, FeatureSink& host, int64_t samples,
                                   int64_t count, Pool& pool)
    : stream_(std::move(stream)),
      maps_(maps),
      plan_(plan),
      host_(host),
      samples_(samples),
      count_(count),
      pool_(pool) {
  const auto& groups = plan.request().groups;
  sums_.resize(static_cast<size_t>(1 + *std::max_element(groups.begin(), groups.end())));
}

void DeviceSketchSink::matrix(int parameter, MatrixUse use) {
  host_adds_ = true;
  host_.matrix(parameter, std::move(use));
}

void DeviceSketchSink::dense(int parameter, int64_t count, int64_t samples,
                             std::shared_ptr<Real> features) {
  host_adds_ = true;
  host_.dense(parameter, count, samples, std::move(features));
}

// Those of groups of a mask the host knows, and what 32 bits do not number.
bool DeviceSketchSink::serves(int parameter, const MatrixDims& dims) const {
  if (plan_.elements(parameter) >= INT32_MAX || plan_.request().size >= INT32_MAX) return false;
  return !plan_.masks() || dims.groups == 1;
}

device::SketchRows<Real> DeviceSketchSink::rows(int parameter, int64_t first) {
  const int64_t size = plan_.request().size;
  const int group = plan_.request().groups[static_cast<size_t>(parameter)];
  DeviceNumbers& sum = sums_[static_cast<size_t>(group)];
  if (!sum) {
    sum = stream_->take<Real>(checked_mul(samples_ * count_, size));
    device::for_rows(*stream_, samples_ * count_, size, device::Fill<Real>{sum.at(), size, 0});
  }
  return {sum.at(first * count_ * size), count_, count_ * size, size};
}

void DeviceSketchSink::project(int p, const SparseMap& map, const DeviceNumbers& x, int64_t first,
                               int64_t samples) {
  device::for_rows(*stream_, samples * count_, map.size(),
                   device::Project<Real>{x.at(), rows(p, first), maps_.table(map)});
}

void DeviceSketchSink::add_numbers(int p, const DeviceNumbers& x, int64_t first, int64_t samples) {
  if (!plan_.masks()) return project(p, *plan_.of(p).last, x, first, samples);
  MatrixDims one;
  one.cols = 1;
  one.rows = plan_.elements(p);
  const DeviceMaps::Mask& mask = maps_.mask(p, plan_.kept(p), one);
  device::for_rows(*stream_, samples * count_, mask.count,
                   device::MaskProduct<Real>{x.at(), device::Pointer<const Real>(), count_, 1,
                                             one.rows, 1, mask.places.at(), mask.rows.at(),
                                             mask.columns.at(), rows(p, first), plan_.weight(p)});
}

void DeviceSketchSink::add_mask(int p, const DeviceMatrixUse& use) {
  const DeviceMaps::Mask& mask = maps_.mask(p, plan_.kept(p), use.dims);
  device::for_rows(
      *stream_, use.samples * use.count, mask.count,
      device::MaskProduct<Real>{use.delta.at(), use.h.at(), use.count, use.dims.positions,
                                use.dims.rows, use.dims.cols, mask.places.at(), mask.rows.at(),
                                mask.columns.at(), rows(p, 0), plan_.weight(p)});
}

// One position: number by number of δ ⊗ h.
void DeviceSketchSink::add_product(int p, const SparseMap& map, const DeviceMatrixUse& use) {
  const int64_t m = use.dims.rows, k = use.dims.cols, C = use.count;
  const bool turned = use.dims.transposed;
  device::ProjectProduct<Real> f{use.delta.at(), use.h.at(),      1, C, m, k, device::Divider(k),
                                 rows(p, 0),     maps_.table(map)};
  if (turned) f = {use.h.at(), use.delta.at(), C, 1, k, m, device::Divider(m), f.rows, f.map};
  device::for_rows(*stream_, use.samples * C, map.size(), f);
}

void DeviceSketchSink::add_formed(int p, const SparseMap& map, const DeviceMatrixUse& use) {
  const auto most = static_cast<int64_t>(std::min<size_t>(stream_->limit() / 8, size_t{1} << 28));
  const int64_t row = use.count * map.length() * static_cast<int64_t>(sizeof(Real));
  const int64_t some = std::clamp<int64_t>(most / row, 1, use.samples);
  for (int64_t first = 0; first < use.samples; first += some) {
    const int64_t samples = std::min(some, use.samples - first);
    project(p, map, formed(*stream_, use, {first, samples}), first, samples);
  }
}

// S of a matrix in factors.
void DeviceSketchSink::add_through(int p, const SparseMap& map, const DeviceMatrixUse& use) {
  if (use.dims.positions == 1 && use.dims.groups == 1) return add_product(p, map, use);
  add_formed(p, map, use);
}

DeviceNumbers DeviceSketchSink::mapped(const SparseMap* map, const DeviceNumbers& from,
                                       int64_t rows) {
  if (!map) return from;
  const int64_t size = map->size();
  const DeviceNumbers to = stream_->take<Real>(checked_mul(rows, size));
  device::for_rows(*stream_, rows, size, device::Fill<Real>{to.at(), size, 0});
  device::for_rows(*stream_, rows, size,
                   device::Project<Real>{from.at(), {to.at(), rows, 0, size}, maps_.table(*map)});
  return to;
}

void DeviceSketchSink::matrix_on_device(int p, DeviceMatrixUse use) {
  if (!serves(p, use.dims)) return matrix(p, to_host(*stream_, use, pool_));
  if (use.bias >= 0) add_numbers(use.bias, formed_bias(*stream_, use), 0, use.samples);
  use.bias = -1;
  if (plan_.masks()) return add_mask(p, use);
  const ParameterMap& map = plan_.of(p, use.dims);
  // There is no code for split maps.
  if (map.split) return matrix(p, to_host(*stream_, use, pool_));
  if (!map.factored()) return add_through(p, *map.last, use);
  // (P_left X P_rightᵀ) from the factors.
  const bool turned = use.dims.transposed;
  const SparseMap* of_delta = turned ? map.right.get() : map.left.get();
  const SparseMap* of_h = turned ? map.left.get() : map.right.get();
  const int64_t places = use.samples * use.dims.positions;
  use.delta = mapped(of_delta, use.delta, places * use.count);
  use.h = mapped(of_h, use.h, places);
  if (of_delta) use.dims.rows = of_delta->size();
  if (of_h) use.dims.cols = of_h->size();
  add_through(p, *map.last, use);
}

void DeviceSketchSink::dense_on_device(int p, int64_t count, int64_t samples,
                                       DeviceNumbers features) {
  const int64_t size = plan_.elements(p);
  if (!serves(p, {}) || (!plan_.masks() && !plan_.of(p).last)) {
    auto own = pool_.take<Real>(count * samples * size);
    stream_->fetch(own.get(), features, count * samples * size);
    return dense(p, count, samples, std::move(own));
  }
  add_numbers(p, by_sample(*stream_, std::move(features), count, samples, size), 0, samples);
}

void DeviceSketchSink::finish(const std::vector<Real*>& results, int64_t stride,
                              device::Pending& pending) {
  const int64_t row = count_ * plan_.request().size;
  for (size_t g = 0; g < sums_.size(); ++g) {
    if (!sums_[g]) continue;
    const device::Pointer<const Real> from = sums_[g].at();
    if (!host_adds_) {
      const int64_t parts = stride == row ? 1 : samples_;
      for (int64_t i = 0; i < parts; ++i)
        stream_->bring(results[g] + i * stride, from + i * row, samples_ / parts * row);
      pending.hold(sums_[g], static_cast<int64_t>(stream_->limit() / 8));
      continue;
    }
    auto own = pool_.take<Real>(samples_ * row);
    stream_->fetch(own.get(), sums_[g], samples_ * row);
    parallel_for(samples_, grain_for(row), [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i)
        for (int64_t e = 0; e < row; ++e) results[g][i * stride + e] += own.get()[i * row + e];
    });
  }
}

}  // namespace AT_PRECISION
}  // namespace at
