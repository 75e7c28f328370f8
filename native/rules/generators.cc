// Operators that make an array out of a few numbers.
#include <algorithm>

#include "rules/support/partials.h"

namespace at {
inline namespace AT_PRECISION {
namespace {

// start, start + step, start + 2·step, … The limit decides on their number alone.
class Range final : public ElementWise {
 public:
  bool differentiable(const Node&, int k) const override { return k != 1; }
  const char* constant_role(const Node&, int k) const override {
    return k == 0 ? "the start of a range" : k == 2 ? "the step of a range" : nullptr;
  }

 protected:
  void partials(NodeView& view, const Wanted& wanted, const Emit& emit) const override {
    if (wanted(0)) emit(0, nullptr, 1);
    if (!wanted(2)) return;
    const int64_t size = view.output(0).size();
    Real* d = view.scratch(size);
    each_element(size, [&](int64_t e) { d[e] = static_cast<Real>(e); });
    emit(2, d, 1);
  }
};

// The second of two values at the place along an axis that an index names, the first elsewhere.
class OneHot final : public Rule {
 public:
  bool differentiable(const Node&, int k) const override { return k == 2; }
  const char* constant_role(const Node&, int k) const override {
    return k == 2 ? "the values of a one-hot code" : nullptr;
  }
  Needs needs(const Node&, const std::vector<bool>&) const override { return {{0}, {}}; }

  void reverse(Call& call) const override {
    const std::vector<char> on = places(call);
    const auto size = static_cast<int64_t>(on.size());
    const int64_t samples = call.per_sample(2) ? call.samples() : 1;
    Real* in = call.in(2);
    std::vector<double> sum(static_cast<size_t>(2 * samples));
    for (int64_t c = 0; c < call.count(); ++c) {
      const Real* g = call.out(0) + c * size;
      std::fill(sum.begin(), sum.end(), 0);
      for (int64_t e = 0; e < size; ++e) {
        const int64_t s = samples > 1 ? sample_of(call.output(0), e, samples) : 0;
        sum[static_cast<size_t>(2 * s + on[static_cast<size_t>(e)])] += g[e];
      }
      std::copy(sum.begin(), sum.end(), in + 2 * c * samples);
    }
  }

  void forward(TangentCall& call) const override {
    const std::vector<char> on = places(call);
    const auto size = static_cast<int64_t>(on.size());
    Real* out = call.out(0);
    for (int64_t c = 0; c < call.count(); ++c)
      for (int64_t e = 0; e < size; ++e)
        out[c * size + e] = call.in(2)[2 * c + on[static_cast<size_t>(e)]];
  }

 private:
  // 1 where the output is the second value.
  static std::vector<char> places(const NodeView& view) {
    const Shape& shape = view.output(0).shape;
    const auto axis = static_cast<size_t>(
        from_end(view.node().attributes.integer("axis", -1), static_cast<int64_t>(shape.size())));
    const int64_t depth = shape[axis], after = count_between(shape, axis + 1, shape.size());
    const std::vector<int64_t> indices = integers_of(view.input(0));
    std::vector<char> on(static_cast<size_t>(view.output(0).size()), 0);
    for (size_t i = 0; i < indices.size(); ++i) {
      const int64_t place = from_end(indices[i], depth), e = static_cast<int64_t>(i);
      if (place < 0 || place >= depth) continue;
      on[static_cast<size_t>((e / after * depth + place) * after + e % after)] = 1;
    }
    return on;
  }
};

const Registration rows[] = {
    {"Range", std::make_unique<Range>()},
    {"OneHot", std::make_unique<OneHot>()},
};

}  // namespace
}  // namespace AT_PRECISION
}  // namespace at
