// Sums, with what is broadcast summed over.
#include <algorithm>
#include <optional>

#include "device/functions/arrange.h"
#include "rules/device/rule.h"

namespace at {
inline namespace AT_PRECISION {
namespace {

// An unbatched operand of one sample's output seen as (outer, length, inner), of which it has the
// middle axis. The batch is the output's first axis, or what it begins with.
struct Broadcast {
  int64_t outer = 1, length = 1, inner = 1;
};

std::optional<Broadcast> broadcast_of(const Call& view, int k) {
  const Activation &out = view.output(0), &in = view.input(k);
  const int64_t sample = out.size() / view.samples();
  if (out.batch_stride != sample || in.size() == 0 || sample % in.size() != 0) return std::nullopt;
  // The operand's axes without those of size 1 must be neighbours, and the output's own.
  const size_t rank = out.shape.size(), lead = rank - in.shape.size();
  size_t first = rank, last = 0;
  for (size_t axis = lead; axis < rank; ++axis) {
    if (in.shape[axis - lead] == 1) continue;
    first = std::min(first, axis);
    last = axis + 1;
  }
  if (first >= last) return Broadcast{1, 1, sample};
  for (size_t axis = first; axis < last; ++axis)
    if (in.shape[axis - lead] != out.shape[axis]) return std::nullopt;
  Broadcast found;
  found.length = in.size();
  found.inner = count_between(out.shape, last, rank);
  if (sample % (found.length * found.inner) != 0) return std::nullopt;
  found.outer = sample / (found.length * found.inner);
  return found;
}

class Add final : public DeviceRule {
 public:
  bool fits(const Call& view) const override {
    for (int k = 0; k < static_cast<int>(view.node().inputs.size()); ++k) {
      if (!view.wants(k)) continue;
      const bool whole = !view.per_sample(k) && view.input(k).shape == view.output(0).shape;
      if (!whole && !(view.per_sample(k) && broadcast_of(view, k))) return false;
    }
    return true;
  }
  void reverse(DeviceCall& call) const override {
    const Call& view = call.view();
    for (int k = 0; k < static_cast<int>(view.node().inputs.size()); ++k) {
      if (!view.wants(k)) continue;
      if (!view.per_sample(k)) {
        call.put(k, call.out(0));
        continue;
      }
      const Broadcast b = *broadcast_of(view, k);
      if (b.outer * b.inner == 1) {
        call.put(k, call.out(0));
        continue;
      }
      device::for_rows(
          call.stream(), view.count() * view.samples(), b.length,
          device::SumAround<Real>{call.out(0).at(), call.in(k), b.outer, b.length, b.inner});
    }
  }
};

const DeviceRegistration rows[] = {
    {"Add", std::make_unique<Add>()},
    {"Sum", std::make_unique<Add>()},
};

}  // namespace
}  // namespace AT_PRECISION
}  // namespace at
