#include "device/walk.h"

#include <algorithm>
#include <stdexcept>

#include "device/launch.h"

namespace at::device {

// Neighbours that are walked as one axis become one.
void Walk::add(std::vector<Axis>& axes, int64_t size, const Steps& steps) {
  if (size == 1) return;
  bool joins = !axes.empty();
  for (int q = 0; q < kArrays && joins; ++q)
    joins = axes.back().steps[static_cast<size_t>(q)] == steps[static_cast<size_t>(q)] * size;
  if (joins) {
    axes.back() = {axes.back().size * size, steps};
  } else {
    axes.push_back({size, steps});
  }
}

int64_t Walk::product(const std::vector<Axis>& axes) {
  int64_t all = 1;
  for (const Axis& axis : axes) all *= axis.size;
  return all;
}

void Walk::set(const std::vector<Axis>& from, Axes& to) {
  to.count = static_cast<int>(from.size());
  for (size_t a = 0; a < from.size(); ++a) {
    to.size[a] = from[a].size;
    to.by[a] = Divider(std::max<int64_t>(1, from[a].size));
    std::copy(from[a].steps.begin(), from[a].steps.end(), to.step[a]);
  }
}

template <class T, class Op>
void Walk::run(Stream& stream, Flow<T, Op> f) const {
  if (!fits()) throw std::logic_error("a walk along too many axes");
  const int64_t kept = product(kept_), summed = product(summed_);
  if (kept == 0) return;
  f.moved = static_cast<double>(sizeof(T)) *
            (static_cast<double>(kept) +
             static_cast<double>(kept) * summed * ((f.from.get() ? 1 : 0) + f.op.reads()));
  // A block of threads for each sum where sums are long and their numbers lie together, or where
  // there are few of them.
  constexpr int64_t kLong = 64, kFew = 1 << 14;
  if (summed >= kLong && (kept < kFew || summed_.back().steps[kFrom] == 1)) {
    set(kept_, f.rows);
    set(summed_, f.sums);
    return sum_rows(stream, kept, summed, f);
  }
  std::vector<Axis> outer = kept_, sums = summed_;
  int64_t length = 1;
  if (!outer.empty()) {
    const auto next_to = [](const Axis& axis) { return axis.steps[kTo] == 1; };
    auto line = std::find_if(outer.begin(), outer.end(), next_to);
    if (line == outer.end()) line = outer.end() - 1;
    std::copy(line->steps.begin(), line->steps.end(), f.line);
    length = line->size;
    outer.erase(line);
  }
  if (!sums.empty()) {
    std::copy(sums.back().steps.begin(), sums.back().steps.end(), f.inner_step);
    f.inner = sums.back().size;
    sums.pop_back();
  }
  f.outer = product(sums);
  set(outer, f.rows);
  set(sums, f.sums);
  for_rows(stream, product(outer), length, f);
}

template void Walk::run(Stream&, Flow<float, Constant<float>>) const;
template void Walk::run(Stream&, Flow<float, Factor<float>>) const;
template void Walk::run(Stream&, Flow<float, Partial<float>>) const;
template void Walk::run(Stream&, Flow<double, Constant<double>>) const;
template void Walk::run(Stream&, Flow<double, Factor<double>>) const;
template void Walk::run(Stream&, Flow<double, Partial<double>>) const;

}  // namespace at::device
