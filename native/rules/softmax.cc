#include <cmath>

#include "rules/support/lines.h"

namespace at {
namespace {

// Along one axis since opset 13; before, over all axes from `axis` on.
Lines lines_of(const Call& call) {
  const Shape& shape = call.output(0).shape;
  const int64_t rank = static_cast<int64_t>(shape.size());
  const bool flat = call.node().opset < 13;
  const int64_t axis = from_end(call.node().attributes.integer("axis", flat ? 1 : -1), rank);
  return Lines(shape, axis, flat ? rank - axis : 1);
}

// What is subtracted of a line, s, is Σ weight·g; `weight(v)` and the result `in(g, v, s)` are of
// the output v.
template <class Weight, class Result>
void along_lines(Call& call, const Weight& weight, const Result& result) {
  const Lines lines = lines_of(call);
  const int64_t size = lines.size();
  const float* y = call.output(0).floats();
  const float* out = call.out(0);
  float* in = call.in_place(0);
  each_slab(call.count(), lines, [&](int64_t c, int64_t start) {
    const float* v = y + start;
    const float* g = out + c * size + start;
    float* to = in + c * size + start;
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
    along_lines(
        call, [](float y) { return y; }, [](float g, float y, float s) { return y * (g - s); });
  }
};

class LogSoftmax final : public Rule {
 public:
  Needs needs(const Node&, const std::vector<bool>&) const override { return {{}, {0}}; }
  void reverse(Call& call) const override {
    along_lines(
        call, [](float) { return 1.0f; },
        [](float g, float y, float s) { return g - std::exp(y) * s; });
  }
};

const Registration softmax("Softmax", std::make_unique<Softmax>());
const Registration log_softmax("LogSoftmax", std::make_unique<LogSoftmax>());

}  // namespace
}  // namespace at
