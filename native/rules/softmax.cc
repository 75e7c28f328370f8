#include <cmath>

#include "rules/support/elementwise.h"
#include "rules/support/lines.h"

namespace at {
namespace {

// Along one axis since opset 13; before, over all axes from `axis` on.
Lines lines_of(const NodeView& call) {
  const Shape& shape = call.output(0).shape;
  const int64_t rank = static_cast<int64_t>(shape.size());
  const bool flat = call.node().opset < 13;
  const int64_t axis = from_end(call.node().attributes.integer("axis", flat ? 1 : -1), rank);
  return Lines(shape, axis, flat ? rank - axis : 1);
}

// to = result(g, v, s) of g (count, shape…), v of y and s = Σ weight(v)·g over the line.
template <class Weight, class Result>
void along_lines(const NodeView& call, int64_t count, const float* y, const float* from,
                 float* into, const Weight& weight, const Result& result) {
  const Lines lines = lines_of(call);
  const int64_t size = lines.size();
  each_slab(count, lines, [&](int64_t c, int64_t start) {
    const float* v = y + start;
    const float* g = from + c * size + start;
    float* to = into + c * size + start;
    if (lines.inner == 1) {
      const float s = line_sum(lines.length, [&](int64_t e) { return weight(v[e]) * g[e]; });
      for (int64_t e = 0; e < lines.length; ++e) to[e] = result(g[e], v[e], s);
      return;
    }
    float* s = lane_buffer<0>(lines.inner);
    std::fill(s, s + lines.inner, 0.0f);
    for (int64_t l = 0; l < lines.length; ++l)
      for (int64_t i = 0; i < lines.inner; ++i)
        s[i] += weight(v[l * lines.inner + i]) * g[l * lines.inner + i];
    for (int64_t l = 0; l < lines.length; ++l)
      for (int64_t i = 0; i < lines.inner; ++i) {
        const int64_t e = l * lines.inner + i;
        to[e] = result(g[e], v[e], s[i]);
      }
  });
}

class Softmax final : public Rule {
 public:
  Needs needs(const Node&, const std::vector<bool>&) const override { return {{}, {0}}; }
  void reverse(Call& call) const override {
    apply(call, call.count(), call.out(0), call.in_place(0));
  }
  // The Jacobian is symmetric.
  void forward(TangentCall& call) const override {
    apply(call, call.count(), call.in(0), call.out_in_place(0));
  }

 private:
  static void apply(const NodeView& view, int64_t count, const float* from, float* to) {
    along_lines(
        view, count, view.output(0).floats(), from, to, [](float y) { return y; },
        [](float g, float y, float s) { return y * (g - s); });
  }
};

class LogSoftmax final : public Rule {
 public:
  Needs needs(const Node&, const std::vector<bool>&) const override { return {{}, {0}}; }
  void reverse(Call& call) const override {
    along_lines(
        call, call.count(), probabilities(call), call.out(0), call.in_place(0),
        [](float) { return 1.0f; }, [](float g, float p, float s) { return g - p * s; });
  }
  void forward(TangentCall& call) const override {
    along_lines(
        call, call.count(), probabilities(call), call.in(0), call.out_in_place(0),
        [](float p) { return p; }, [](float g, float, float s) { return g - s; });
  }

 private:
  static const float* probabilities(NodeView& view) {
    const int64_t size = view.output(0).size();
    const float* y = view.output(0).floats();
    float* p = view.scratch(size);
    each_element(size, [&](int64_t e) { p[e] = std::exp(y[e]); });
    return p;
  }
};

const Registration softmax("Softmax", std::make_unique<Softmax>());
const Registration log_softmax("LogSoftmax", std::make_unique<LogSoftmax>());

}  // namespace
}  // namespace at
