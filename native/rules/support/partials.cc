#include "rules/support/partials.h"

#include <algorithm>

namespace at {
inline namespace AT_PRECISION {

namespace {

// Cotangent of input k of a sum with weight `scale`.
void flow_constant(Call& call, int k, Real scale) {
  if (scale == 1) {
    if (!call.per_sample(k) && call.input(k).shape == call.output(0).shape) {
      call.pass(0, k);
    } else {
      call.reduce(0, k, call.out(0));
    }
    return;
  }
  const int64_t samples = call.per_sample(k) ? call.samples() : 1;
  Real* in = sum_to(call, 0, k, call.input(k).shape, call.out(0));
  each_element(call.count() * samples * call.input(k).size(), [&](int64_t e) { in[e] *= scale; });
}

// Flat index of the element of an array of shape `from` that is broadcast to element e of `shape`.
const int32_t* broadcast_index(TangentCall& call, const Shape& from, const Shape& shape) {
  static_assert(sizeof(Real) >= sizeof(int32_t));
  const int64_t size = element_count(shape);
  auto* index = reinterpret_cast<int32_t*>(call.scratch(size));
  const Shape strides = row_major_strides(from);
  const size_t lead = shape.size() - from.size();
  const int64_t last = shape.empty() ? 1 : shape.back();
  if (size == 0) return index;
  parallel_for(size / last, grain_for(last), [&](int64_t first, int64_t end) {
    for (int64_t row = first; row < end; ++row) {
      int64_t rest = row, at = 0;
      for (size_t axis = shape.size(); axis-- > 1;) {
        const size_t own = axis - 1;
        const int64_t i = rest % shape[own];
        rest /= shape[own];
        if (own >= lead && from[own - lead] != 1) at += i * strides[own - lead];
      }
      const bool walks = !from.empty() && from.back() != 1;
      for (int64_t e = 0; e < last; ++e)
        index[row * last + e] = static_cast<int32_t>(at + (walks ? e : 0));
    }
  });
  return index;
}

}  // namespace

void ElementWise::reverse(Call& call) const {
  int left = 0;
  for (size_t k = 0; k < call.node().inputs.size(); ++k) left += call.wants(static_cast<int>(k));
  partials(
      call, [&](int k) { return call.has_input(k) && call.wants(k); },
      [&](int k, const Real* d, Real scale) {
        --left;
        if (d) {
          flow(call, k, d, left == 0, selects());
        } else {
          flow_constant(call, k, scale);
        }
      });
}

void ElementWise::forward(TangentCall& call) const {
  int inputs = 0;
  for (size_t k = 0; k < call.node().inputs.size(); ++k)
    inputs += call.in(static_cast<int>(k)) != nullptr;
  const Shape& shape = call.output(0).shape;
  Real* out = nullptr;
  partials(
      call, [&](int k) { return call.in(k) != nullptr; },
      [&](int k, const Real* d, Real scale) {
        const bool whole = call.input(k).size() == call.output(0).size();
        if (inputs == 1 && whole && !d && scale == 1) return call.pass(k, 0);
        const bool add = out != nullptr;
        if (!add) out = inputs == 1 && whole ? call.out_in_place(k) : call.out(0);
        flow_forward(call, call.in(k), call.input(k).shape, shape, d, scale, add, out, selects());
      });
}

void flow_forward(TangentCall& call, const Real* in, const Shape& from, const Shape& shape,
                  const Real* d, Real scale, bool add, Real* out, bool selects) {
  const int64_t size = element_count(shape), own = element_count(from);
  const int32_t* index = own == size ? nullptr : broadcast_index(call, from, shape);
  constexpr int64_t kBlock = 1 << 14;
  const int64_t blocks = (size + kBlock - 1) / kBlock;
  parallel_for(call.count() * blocks, grain_for(kBlock), [&](int64_t first, int64_t last) {
    for (int64_t item = first; item < last; ++item) {
      const int64_t c = item / blocks, start = item % blocks * kBlock;
      const int64_t n = std::min(kBlock, size - start);
      const Real* t = in + c * own + (index ? 0 : start);
      const int32_t* at = index ? index + start : nullptr;
      const Real* factor = d ? d + start : nullptr;
      Real* to = out + c * size + start;
      for (int64_t e = 0; e < n; ++e) {
        const Real d_e = factor ? factor[e] : scale, tangent = at ? t[at[e]] : t[e];
        const Real v = selects ? times_selected(d_e, tangent) : times(d_e, tangent);
        to[e] = add ? to[e] + v : v;
      }
    }
  });
}

}  // namespace AT_PRECISION
}  // namespace at
