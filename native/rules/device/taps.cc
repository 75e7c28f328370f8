#include "rules/device/taps.h"

#include "device/functions/lines.h"

namespace at {
inline namespace AT_PRECISION {

TapList::TapList(int64_t here, int64_t there, const std::vector<Tap>& taps, bool weighted)
    : here_(here), starts_(static_cast<size_t>(there + 1), 0) {
  for (const Tap& tap : taps) ++starts_[static_cast<size_t>(tap.there + 1)];
  for (size_t t = 1; t < starts_.size(); ++t) starts_[t] += starts_[t - 1];
  source_.resize(taps.size());
  if (weighted) weights_.resize(taps.size());
  std::vector<int32_t> next(starts_);
  for (const Tap& tap : taps) {
    const auto place = static_cast<size_t>(next[static_cast<size_t>(tap.there)]++);
    source_[place] = static_cast<int32_t>(tap.here);
    if (weighted) weights_[place] = tap.weight;
  }
}

void TapList::apply(DeviceCall& call, int64_t outer, int64_t inner,
                    const device::Pointer<const Real>& from,
                    const device::Pointer<Real>& to) const {
  const auto starts = call.sent(starts_), source = call.sent(source_);
  const DeviceNumbers weights = weights_.empty() ? DeviceNumbers() : call.sent(weights_);
  device::for_rows(call.stream(), outer * there(), inner,
                   device::SumTaps<Real>{from, starts.at(), source.at(), weights.at(), to, here_,
                                         there(), inner});
}

void undo_axes(DeviceCall& call, int j, int k, Shape shape, const std::vector<AxisTaps>& axes) {
  if (axes.empty()) return call.put(k, call.out(j));
  DeviceNumbers from = call.out(j);
  for (size_t a = 0; a < axes.size(); ++a) {
    const auto& [axis, taps] = axes[a];
    const int64_t outer = call.view().count() * count_between(shape, 0, axis);
    const int64_t inner = count_between(shape, axis + 1, shape.size());
    shape[axis] = taps.there();
    if (a + 1 == axes.size()) return taps.apply(call, outer, inner, from.at(), call.in(k));
    const DeviceNumbers to = call.stream().take<Real>(outer * taps.there() * inner);
    taps.apply(call, outer, inner, from.at(), to.at());
    from = to;
  }
}

void undo_copy(DeviceCall& call, int j, int k, const AxisMap& map) {
  std::vector<AxisTaps> axes;
  for (size_t a = 0; a < map.out.size(); ++a) {
    if (map.from[a].empty()) continue;
    std::vector<TapList::Tap> taps;
    for (size_t o = 0; o < map.from[a].size(); ++o)
      if (map.from[a][o] >= 0) taps.push_back({map.from[a][o], static_cast<int64_t>(o), 1});
    axes.push_back({a, TapList(map.out[a], map.in[a], taps, false)});
  }
  undo_axes(call, j, k, map.out, axes);
}

bool fits_plain(const Call& view, int j) {
  return is_plain(view, 0) && is_moderate(view.input(0)) && is_moderate(view.output(j));
}

}  // namespace AT_PRECISION
}  // namespace at
