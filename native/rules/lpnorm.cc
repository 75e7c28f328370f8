// Normalizations without parameters: by a norm along an axis, and across neighbouring channels.
#include <cmath>

#include "rules/support/elementwise.h"
#include "rules/support/lines.h"

namespace at {
namespace {

// y = x/‖x‖_p along an axis, p 1 or 2; 0 where the norm is.
class LpNormalization final : public Rule {
 public:
  Needs needs(const Node&, const std::vector<bool>&) const override { return {{0}, {0}}; }
  void reverse(Call& call) const override {
    const Shape& shape = call.output(0).shape;
    const Lines lines(shape, from_end(call.node().attributes.integer("axis", -1),
                                      static_cast<int64_t>(shape.size())));
    const bool squares = call.node().attributes.integer("p", 2) == 2;
    const int64_t size = lines.size(), inner = lines.inner;
    const float* x = call.input(0).floats();
    const float* y = call.output(0).floats();
    const float* out = call.out(0);
    float* in = call.in_place(0);
    each_slab(call.count(), lines, [&](int64_t c, int64_t start) {
      float* norm = lane_buffer<0>(inner);
      float* along = lane_buffer<1>(inner);
      std::fill(norm, norm + inner, 0.0f);
      std::fill(along, along + inner, 0.0f);
      const float* g = out + c * size + start;
      for (int64_t l = 0; l < lines.length; ++l) {
        for (int64_t i = 0; i < inner; ++i) {
          const float v = x[start + l * inner + i];
          norm[i] += squares ? v * v : std::abs(v);
          along[i] += g[l * inner + i] * y[start + l * inner + i];
        }
      }
      for (int64_t i = 0; i < inner; ++i) {
        const float value = squares ? std::sqrt(norm[i]) : norm[i];
        norm[i] = value > 0 ? 1 / value : 0;
      }
      float* to = in + c * size + start;
      for (int64_t l = 0; l < lines.length; ++l) {
        for (int64_t i = 0; i < inner; ++i) {
          const int64_t e = l * inner + i;
          const float v = x[start + e];
          const float direction = squares ? y[start + e] : static_cast<float>((v > 0) - (v < 0));
          to[e] = (g[e] - direction * along[i]) * norm[i];
        }
      }
    });
  }
};

// y = x·s^−β, s = bias + α/size·Σ x² over `size` channels around each.
class LocalResponse final : public Rule {
 public:
  Needs needs(const Node&, const std::vector<bool>&) const override { return {{0}, {0}}; }
  void reverse(Call& call) const override {
    require_plain(call, 0);
    const Attributes& attributes = call.node().attributes;
    const int64_t size = attributes.integer("size", 1);
    const float beta = static_cast<float>(attributes.number("beta", 0.75));
    const float bias = static_cast<float>(attributes.number("bias", 1));
    const float alpha =
        static_cast<float>(attributes.number("alpha", 1e-4) / static_cast<double>(size));
    const int64_t before = (size - 1) / 2, after = size - 1 - before;
    const Lines lines(call.output(0).shape, 1);
    const int64_t total = lines.size(), inner = lines.inner, channels = lines.length;
    const float* x = call.input(0).floats();
    const float* y = call.output(0).floats();
    float* s = call.scratch(total);
    each_slab(1, lines, [&](int64_t, int64_t start) {
      for (int64_t ch = 0; ch < channels; ++ch) {
        float* to = s + start + ch * inner;
        std::fill(to, to + inner, 0.0f);
        const int64_t end = std::min(channels, ch + after + 1);
        for (int64_t near = std::max<int64_t>(0, ch - before); near < end; ++near) {
          const float* from = x + start + near * inner;
          for (int64_t i = 0; i < inner; ++i) to[i] += from[i] * from[i];
        }
        for (int64_t i = 0; i < inner; ++i) to[i] = bias + alpha * to[i];
      }
    });
    float* direct = call.scratch(total);  // s^−β
    float* spread = call.scratch(total);  // y/s
    each_element(total, [&](int64_t e) {
      direct[e] = std::pow(s[e], -beta);
      spread[e] = y[e] / s[e];
    });
    const float* out = call.out(0);
    float* in = call.in(0);
    each_slab(call.count(), lines, [&](int64_t c, int64_t start) {
      float* sum = lane_buffer<0>(inner);
      const float* g = out + c * total + start;
      for (int64_t ch = 0; ch < channels; ++ch) {
        std::fill(sum, sum + inner, 0.0f);
        const int64_t end = std::min(channels, ch + before + 1);
        for (int64_t near = std::max<int64_t>(0, ch - after); near < end; ++near)
          for (int64_t i = 0; i < inner; ++i)
            sum[i] += g[near * inner + i] * spread[start + near * inner + i];
        float* to = in + c * total + start + ch * inner;
        for (int64_t i = 0; i < inner; ++i) {
          const int64_t e = start + ch * inner + i;
          to[i] = g[ch * inner + i] * direct[e] - 2 * alpha * beta * x[e] * sum[i];
        }
      }
    });
  }
};

const Registration lp_normalization("LpNormalization", std::make_unique<LpNormalization>());
const Registration lrn("LRN", std::make_unique<LocalResponse>());

}  // namespace
}  // namespace at
