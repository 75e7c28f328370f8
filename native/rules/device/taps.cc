#include "rules/device/taps.h"

#include "device/functions/lines.h"

namespace at {
inline namespace AT_PRECISION {

TapList::TapList(bool forward, int64_t in, int64_t out, const std::vector<Tap>& taps, bool weighted)
    : here_(forward ? in : out), starts_(static_cast<size_t>((forward ? out : in) + 1), 0) {
  const auto target = [&](const Tap& tap) {
    return static_cast<size_t>(forward ? tap.out : tap.in);
  };
  for (const Tap& tap : taps) ++starts_[target(tap) + 1];
  for (size_t t = 1; t < starts_.size(); ++t) starts_[t] += starts_[t - 1];
  source_.resize(taps.size());
  if (weighted) weights_.resize(taps.size());
  std::vector<int32_t> next(starts_);
  for (const Tap& tap : taps) {
    const auto place = static_cast<size_t>(next[target(tap)]++);
    source_[place] = static_cast<int32_t>(forward ? tap.in : tap.out);
    if (weighted) weights_[place] = tap.weight;
  }
}

void TapList::apply(DeviceNode& call, int64_t outer, int64_t inner,
                    const device::Pointer<const Real>& from,
                    const device::Pointer<Real>& to) const {
  const auto starts = call.sent(starts_), source = call.sent(source_);
  const DeviceNumbers weights = weights_.empty() ? DeviceNumbers() : call.sent(weights_);
  device::for_rows(call.stream(), outer * there(), inner,
                   device::SumTaps<Real>{from, starts.at(), source.at(), weights.at(), to, here_,
                                         there(), inner});
}

DeviceNumbers along_axes(DeviceNode& call, int64_t count, Shape shape,
                         const std::vector<AxisTaps>& axes, DeviceNumbers from) {
  for (const auto& [axis, taps] : axes) {
    const int64_t outer = count * count_between(shape, 0, axis);
    const int64_t inner = count_between(shape, axis + 1, shape.size());
    shape[axis] = taps.there();
    const DeviceNumbers to = call.stream().take<Real>(outer * taps.there() * inner);
    taps.apply(call, outer, inner, from.at(), to.at());
    from = to;
  }
  return from;
}

namespace {

std::vector<AxisTaps> axes_of(const AxisMap& map, bool forward) {
  std::vector<AxisTaps> axes;
  for (size_t a = 0; a < map.out.size(); ++a) {
    if (map.from[a].empty()) continue;
    std::vector<TapList::Tap> taps;
    for (size_t o = 0; o < map.from[a].size(); ++o)
      if (map.from[a][o] >= 0) taps.push_back({map.from[a][o], static_cast<int64_t>(o), 1});
    axes.push_back({a, TapList(forward, map.in[a], map.out[a], taps)});
  }
  return axes;
}

}  // namespace

void copy_back(DeviceCall& call, int j, int k, const AxisMap& map) {
  call.put(k, along_axes(call, call.view().count(), map.out, axes_of(map, false), call.out(j)));
}

void copy_ahead(DeviceTangentCall& call, int k, int j, const AxisMap& map) {
  call.put(j, along_axes(call, call.view().count(), map.in, axes_of(map, true), call.in(k)));
}

bool fits_plain(const Call& view, int j) {
  return is_plain(view, 0) && is_moderate(view.input(0)) && is_moderate(view.output(j));
}

}  // namespace AT_PRECISION
}  // namespace at
