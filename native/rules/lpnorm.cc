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
    run(call, true, call.count(), call.out(0), call.in_place(0));
  }
  void forward(TangentCall& call) const override {
    run(call, false, call.count(), call.in(0), call.out_in_place(0));
  }

 private:
  // dy = (dx − y·⟨∂‖x‖, dx⟩)/‖x‖, and transposed in reverse.
  static void run(const NodeView& call, bool reversed, int64_t count, const float* out, float* in) {
    const Shape& shape = call.output(0).shape;
    const Lines lines(shape, from_end(call.node().attributes.integer("axis", -1),
                                      static_cast<int64_t>(shape.size())));
    const bool squares = call.node().attributes.integer("p", 2) == 2;
    const int64_t size = lines.size(), inner = lines.inner;
    const float* x = call.input(0).floats();
    const float* y = call.output(0).floats();
    const auto slope = [&](int64_t e) {
      return squares ? y[e] : static_cast<float>((x[e] > 0) - (x[e] < 0));
    };
    each_slab(count, lines, [&](int64_t c, int64_t start) {
      float* norm = lane_buffer<0>(inner);
      float* along = lane_buffer<1>(inner);
      std::fill(norm, norm + inner, 0.0f);
      std::fill(along, along + inner, 0.0f);
      const float* g = out + c * size + start;
      for (int64_t l = 0; l < lines.length; ++l) {
        for (int64_t i = 0; i < inner; ++i) {
          const int64_t e = start + l * inner + i;
          norm[i] += squares ? x[e] * x[e] : std::abs(x[e]);
          along[i] += times(reversed ? y[e] : slope(e), g[l * inner + i]);
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
          const float direction = reversed ? slope(start + e) : y[start + e];
          to[e] = times(norm[i], g[e] - times(direction, along[i]));
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
    run(call, true, call.count(), call.out(0), call.in(0));
  }
  void forward(TangentCall& call) const override {
    run(call, false, call.count(), call.in(0), call.out(0));
  }

 private:
  // dy_j = s_j^−β dx_j − 2αβ (y/s)_j Σ_i x_i dx_i over the window of j, and transposed in reverse.
  static void run(NodeView& view, bool reversed, int64_t count, const float* from, float* into) {
    const Attributes& attributes = view.node().attributes;
    const int64_t size = attributes.integer("size", 1);
    const float beta = static_cast<float>(attributes.number("beta", 0.75));
    const float bias = static_cast<float>(attributes.number("bias", 1));
    const float alpha =
        static_cast<float>(attributes.number("alpha", 1e-4) / static_cast<double>(size));
    const int64_t before = (size - 1) / 2, after = size - 1 - before;
    const Lines lines(view.output(0).shape, 1);
    const int64_t total = lines.size(), inner = lines.inner;
    const float* x = view.input(0).floats();
    const float* y = view.output(0).floats();
    float* s = view.scratch(total);
    each_slab(1, lines, [&](int64_t, int64_t start) {
      for (int64_t ch = 0; ch < lines.length; ++ch) {
        float* to = s + start + ch * inner;
        std::fill(to, to + inner, bias);
        each_near(ch, before, after, lines, [&](int64_t at) {
          const float* own = x + start + at;
          for (int64_t i = 0; i < inner; ++i) to[i] += alpha * own[i] * own[i];
        });
      }
    });
    float* direct = view.scratch(total);  // s^−β
    float* spread = view.scratch(total);  // y/s
    each_element(total, [&](int64_t e) {
      direct[e] = std::pow(s[e], -beta);
      spread[e] = y[e] / s[e];
    });
    const float* inside = reversed ? spread : x;
    const float* outside = reversed ? x : spread;
    each_slab(count, lines, [&](int64_t c, int64_t start) {
      float* sum = lane_buffer<0>(inner);
      const float* g = from + c * total + start;
      for (int64_t ch = 0; ch < lines.length; ++ch) {
        std::fill(sum, sum + inner, 0.0f);
        each_near(ch, reversed ? after : before, reversed ? before : after, lines, [&](int64_t at) {
          for (int64_t i = 0; i < inner; ++i) sum[i] += times(inside[start + at + i], g[at + i]);
        });
        float* to = into + c * total + start + ch * inner;
        for (int64_t i = 0; i < inner; ++i) {
          const int64_t e = start + ch * inner + i;
          to[i] =
              times(direct[e], g[ch * inner + i]) - times(outside[e], 2 * alpha * beta * sum[i]);
        }
      }
    });
  }

  // body(first element) for every channel from `before` before `ch` to `after` after it.
  template <class Body>
  static void each_near(int64_t ch, int64_t before, int64_t after, const Lines& lines,
                        const Body& body) {
    const int64_t end = std::min(lines.length, ch + after + 1);
    for (int64_t near = std::max<int64_t>(0, ch - before); near < end; ++near)
      body(near * lines.inner);
  }
};

const Registration lp_normalization("LpNormalization", std::make_unique<LpNormalization>());
const Registration lrn("LRN", std::make_unique<LocalResponse>());

}  // namespace
}  // namespace at
