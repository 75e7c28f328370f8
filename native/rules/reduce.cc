// Reductions over any axes: dx = g·f(x, y), g and y repeated along the axes that were reduced.
#include <cmath>

#include "rules/device/flow.h"
#include "rules/support/elementwise.h"
#include "rules/support/lines.h"

namespace at {
inline namespace AT_PRECISION {
namespace {

enum class Kind { kSum, kMean, kSumSquare, kL1, kL2, kLogSum, kLogSumExp, kProd, kMax, kMin };

Real share_of(int64_t small, int64_t size) {
  return static_cast<Real>(small) / static_cast<Real>(size);
}

// x's shape with the reduced axes of size 1. The axes are an input from opset `input_since` on.
Shape kept_shape(const NodeView& call, int input_since) {
  const Attributes& attributes = call.node().attributes;
  Shape kept = call.input(0).shape;
  std::vector<int64_t> axes = attributes.integers("axes");
  if (call.node().opset >= input_since && call.has_input(1)) axes = integers_of(call.input(1));
  if (axes.empty() && attributes.integer("noop_with_empty_axes", 0) == 0) {
    std::fill(kept.begin(), kept.end(), 1);
  }
  for (int64_t axis : axes) kept[from_end(axis, static_cast<int64_t>(kept.size()))] = 1;
  return kept;
}

class Reduce final : public Rule {
 public:
  // The axes are an input from opset `input_since` on.
  Reduce(Kind kind, int input_since) : kind_(kind), input_since_(input_since) {}

  bool differentiable(const Node&, int k) const override { return k == 0; }
  bool sees_one(const Node&) const override { return selects(); }
  Needs needs(const Node& node, const std::vector<bool>&) const override {
    Needs needs;
    if (kind_ != Kind::kSum && kind_ != Kind::kMean && kind_ != Kind::kLogSum) needs.inputs = {0};
    if (node.opset >= input_since_) needs.inputs.push_back(1);
    if (kind_ != Kind::kSum && kind_ != Kind::kMean && kind_ != Kind::kSumSquare &&
        kind_ != Kind::kL1)
      needs.outputs = {0};
    return needs;
  }

  void reverse(Call& call) const override {
    require_plain(call, 0);
    const Shape& shape = call.input(0).shape;
    const Shape kept = kept_shape(call, input_since_);
    const int64_t size = call.input(0).size(), small = call.output(0).size();
    const int64_t count = call.count();
    const Real* out = call.out(0);
    if (small == size && kind_ == Kind::kSum) return pass_order(call, 0, 0);
    Real* in = call.in(0);
    const Real constant = kind_ == Kind::kMean ? share_of(small, size) : 1;
    size_t first_axis = 0, end_axis = shape.size();
    while (first_axis < end_axis && kept[first_axis] == shape[first_axis]) ++first_axis;
    while (end_axis > first_axis && kept[end_axis - 1] == shape[end_axis - 1]) --end_axis;
    bool together = true;  // what is reduced are neighbouring axes
    for (size_t a = first_axis; a < end_axis; ++a) together = together && kept[a] == 1;
    if (together) {
      const Lines lines(shape, static_cast<int64_t>(first_axis),
                        static_cast<int64_t>(end_axis - first_axis));
      if (selects()) return select(call, lines, in);
      return repeat(lines, count, out, derivative(call, kept), constant, in);
    }
    const Real* d = derivative(call, kept);
    const int32_t* where = places(call, kept);
    const int64_t piece = 4096, pieces = (size + piece - 1) / piece;
    parallel_for(count * pieces, grain_for(piece), [&](int64_t first, int64_t last) {
      for (int64_t item = first; item < last; ++item) {
        const int64_t c = item / pieces, from = item % pieces * piece;
        const Real* g = out + c * small;
        Real* to = in + c * size;
        for (int64_t e = from; e < std::min(size, from + piece); ++e)
          to[e] = d ? product(d[e], g[where[e]]) : g[where[e]] * constant;
      }
    });
  }

  // dy = Σ f(x, y)·dx over what was reduced.
  void forward(TangentCall& call) const override {
    const Shape kept = kept_shape(call, input_since_);
    const int64_t size = call.input(0).size(), small = call.output(0).size();
    const Real* in = call.in(0);
    if (small == size && kind_ == Kind::kSum) return call.pass(0, 0);
    const Real* d = derivative(call, kept);
    Real* out = call.out(0);
    const int32_t* where = places(call, kept);
    parallel_for(call.count(), grain_for(size), [&](int64_t first, int64_t last) {
      std::vector<double> sums(static_cast<size_t>(small));
      for (int64_t c = first; c < last; ++c) {
        std::fill(sums.begin(), sums.end(), 0.0);
        const Real* t = in + c * size;
        for (int64_t e = 0; e < size; ++e) sums[where[e]] += d ? product(d[e], t[e]) : t[e];
        const double constant = kind_ == Kind::kMean ? share_of(small, size) : 1;
        for (int64_t o = 0; o < small; ++o)
          out[c * small + o] = static_cast<Real>(sums[o] * constant);
      }
    });
  }

 private:
  bool selects() const { return kind_ == Kind::kMax || kind_ == Kind::kMin; }
  Real product(Real d, Real g) const { return selects() ? times_selected(d, g) : times(d, g); }

  // in (count, outer, length, inner) = out (count, outer, inner) where x is y; those that tie share
  // evenly, as torch.amax does.
  static void select(Call& call, const Lines& lines, Real* in) {
    constexpr int64_t kTogether = 32;  // cotangents
    const int64_t count = call.count(), inner = lines.inner, slab = lines.length * inner;
    const int64_t size = lines.size(), small = lines.outer * inner;
    const int64_t groups = (count + kTogether - 1) / kTogether;
    const Real *values = call.input(0).reals(), *out = call.out(0);
    const Real* extremes = call.output(0).reals();
    parallel_for(lines.outer * groups, grain_for(slab * std::min(count, kTogether)),
                 [&](int64_t first, int64_t last) {
                   Real* share = lane_buffer<0>(inner);
                   for (int64_t item = first; item < last; ++item) {
                     const int64_t o = item / groups, c0 = item % groups * kTogether;
                     const Real *x = values + o * slab, *y = extremes + o * inner;
                     share_ties(x, y, lines, share);
                     for (int64_t c = c0; c < std::min(count, c0 + kTogether); ++c)
                       spread(x, y, share, out + c * small + o * inner, lines,
                              in + c * size + o * slab);
                   }
                 });
  }
  static void share_ties(const Real* x, const Real* y, const Lines& lines, Real* share) {
    const int64_t inner = lines.inner;
    if (inner == 1) {
      int32_t ties = 0;
      for (int64_t l = 0; l < lines.length; ++l) ties += x[l] == *y;
      *share = Real(1.0) / static_cast<Real>(ties);
      return;
    }
    std::fill(share, share + inner, Real(0.0));
    for (int64_t l = 0; l < lines.length; ++l)
      for (int64_t i = 0; i < inner; ++i) share[i] += x[l * inner + i] == y[i] ? 1 : 0;
    for (int64_t i = 0; i < inner; ++i) share[i] = Real(1.0) / share[i];
  }
  static void spread(const Real* x, const Real* y, const Real* share, const Real* g,
                     const Lines& lines, Real* to) {
    if (lines.inner == 1) {
      const Real value = times_selected(*share, *g), extreme = *y;
      for (int64_t l = 0; l < lines.length; ++l) to[l] = x[l] == extreme ? value : Real(0);
      return;
    }
    for (int64_t l = 0; l < lines.length; ++l)
      for (int64_t e = l * lines.inner, i = 0; i < lines.inner; ++i, ++e)
        to[e] = x[e] == y[i] ? times_selected(share[i], g[i]) : Real(0);
  }

  // in (count, outer, length, inner) = out (count, outer, inner) times d, or the constant.
  void repeat(const Lines& lines, int64_t count, const Real* out, const Real* d, Real constant,
              Real* in) const {
    const int64_t inner = lines.inner, size = lines.size();
    each_slab(count, lines, [&](int64_t c, int64_t start) {
      const Real* g = out + (c * lines.outer + start / (lines.length * inner)) * inner;
      Real* to = in + c * size + start;
      const Real* own = d ? d + start : nullptr;
      if (inner == 1) {
        const Real value = *g * constant;
        for (int64_t l = 0; l < lines.length; ++l) to[l] = own ? product(own[l], value) : value;
        return;
      }
      for (int64_t l = 0; l < lines.length; ++l, to += inner) {
        if (own) {
          for (int64_t i = 0; i < inner; ++i) to[i] = product(own[l * inner + i], g[i]);
        } else {
          for (int64_t i = 0; i < inner; ++i) to[i] = g[i] * constant;
        }
      }
    });
  }

  // Which element of y each element of x goes into.
  static const int32_t* places(NodeView& call, const Shape& kept) {
    const Shape& shape = call.input(0).shape;
    const Shape strides = row_major_strides(kept);
    const int64_t size = element_count(shape);
    static_assert(sizeof(Real) >= sizeof(int32_t));
    auto* where = reinterpret_cast<int32_t*>(call.scratch(size));
    Shape index(shape.size(), 0);
    int64_t at = 0;
    for (int64_t e = 0; e < size; ++e) {
      where[e] = static_cast<int32_t>(at);
      for (size_t a = shape.size(); a-- > 0;) {
        const int64_t step = kept[a] == 1 ? 0 : strides[a];
        at += step;
        if (++index[a] < shape[a]) break;
        at -= step * shape[a];
        index[a] = 0;
      }
    }
    return where;
  }

  // f(x, y) for every element of x, or null where it is a constant.
  const Real* derivative(NodeView& call, const Shape& kept) const {
    if (kind_ == Kind::kSum || kind_ == Kind::kMean) return nullptr;
    const int64_t size = call.input(0).size(), small = call.output(0).size();
    Real* d = call.scratch(size);
    const Real* x = call.input(0).reals();
    if (kind_ == Kind::kSumSquare || kind_ == Kind::kL1) {
      each_element(size, [&](int64_t e) {
        d[e] = kind_ == Kind::kSumSquare ? 2 * x[e] : static_cast<Real>((x[e] > 0) - (x[e] < 0));
      });
      return d;
    }
    const Real* y = call.output(0).reals();
    const int32_t* where = places(call, kept);
    switch (kind_) {
      case Kind::kL2:
        each_element(size, [&](int64_t e) { d[e] = y[where[e]] > 0 ? x[e] / y[where[e]] : 0; });
        break;
      case Kind::kLogSum:
        each_element(size, [&](int64_t e) { d[e] = std::exp(-y[where[e]]); });
        break;
      case Kind::kLogSumExp:
        each_element(size, [&](int64_t e) { d[e] = std::exp(x[e] - y[where[e]]); });
        break;
      case Kind::kProd:
        products(x, where, size, small, d);
        break;
      default: {
        // Those that tie share evenly, as torch.amax does.
        std::vector<int32_t> ties(static_cast<size_t>(small), 0);
        for (int64_t e = 0; e < size; ++e) ties[where[e]] += x[e] == y[where[e]];
        each_element(size, [&](int64_t e) {
          d[e] = x[e] == y[where[e]] ? Real(1.0) / static_cast<Real>(ties[where[e]]) : Real(0.0);
        });
      }
    }
    return d;
  }

  // The product of all others: of those that are not zero, unless another one is.
  static void products(const Real* x, const int32_t* where, int64_t size, int64_t small, Real* d) {
    std::vector<Real> product(static_cast<size_t>(small), 1);
    std::vector<int32_t> zeros(static_cast<size_t>(small), 0);
    for (int64_t e = 0; e < size; ++e) {
      if (x[e] == 0) {
        ++zeros[where[e]];
      } else {
        product[where[e]] *= x[e];
      }
    }
    for (int64_t e = 0; e < size; ++e) {
      const int32_t others = zeros[where[e]] - (x[e] == 0);
      d[e] = others > 0 ? 0 : x[e] == 0 ? product[where[e]] : product[where[e]] / x[e];
    }
  }

  Kind kind_;
  int input_since_;
};

// The same on a device, but for products.
class DeviceReduce final : public DeviceRule {
 public:
  DeviceReduce(Kind kind, int input_since) : kind_(kind), input_since_(input_since) {}
  bool fits(const Call& view) const override {
    return is_plain(view, 0) && is_moderate(view.input(0)) && view.output(0).size() > 0;
  }

  void reverse(DeviceCall& call) const override { run(call); }
  bool forward(DeviceTangentCall& call) const override {
    if (!fits_forward(call.view())) return false;
    run(call);
    return true;
  }

 private:
  template <class Either>
  void run(Either& call) const {
    using Of = device::Kind;
    const Shape kept = kept_shape(call.view(), input_since_);
    switch (kind_) {
      case Kind::kSum:
        return spread(call, kept, device::Constant<Real>{1}, {});
      case Kind::kMean:
        return spread(
            call, kept,
            device::Constant<Real>{share_of(element_count(kept), call.view().input(0).size())}, {});
      case Kind::kSumSquare:
        return spread(call, kept, device::Partial<Real>{Of::kTwice}, {operand(call, 0)});
      case Kind::kL1:
        return spread(call, kept, device::Partial<Real>{Of::kSign}, {operand(call, 0)});
      case Kind::kL2:
        return spread(call, kept, device::Partial<Real>{Of::kShare},
                      {operand(call, 0), {call.output(0), kept}});
      case Kind::kLogSum:
        return spread(call, kept, device::Partial<Real>{Of::kExpMinus}, {{call.output(0), kept}});
      case Kind::kLogSumExp:
        return spread(call, kept, device::Partial<Real>{Of::kExpDistance},
                      {operand(call, 0), {call.output(0), kept}});
      default:
        return extremum(call, kept);
    }
  }

  template <class Op>
  static void spread(DeviceCall& call, const Shape& kept, const Op& op,
                     const std::vector<Operand>& reads, bool selects = false) {
    compute(call, call.view().count(), call.view().input(0).shape, {call.out(0), kept}, op, reads,
            call.in(0), selects);
  }
  template <class Op>
  static void spread(DeviceTangentCall& call, const Shape& kept, const Op& op,
                     const std::vector<Operand>& reads, bool selects = false) {
    call.put(0, summed(call, call.view().count(), call.view().input(0).shape, kept, call.in(0), op,
                       reads, selects));
  }

  // Those that tie share evenly.
  template <class Either>
  static void extremum(Either& call, const Shape& kept) {
    const Operand x = operand(call, 0), y = {call.output(0), kept};
    const DeviceNumbers ties =
        summed(call, 1, x.shape, kept, {}, device::Partial<Real>{device::Kind::kEqual}, {x, y});
    spread(call, kept, device::Partial<Real>{device::Kind::kTie}, {x, y, {ties, kept}}, true);
  }

  Kind kind_;
  int input_since_;
};

Registration row(const std::string& op, Kind kind, int input_since) {
  DeviceHalf there;
  if (kind != Kind::kProd) there = std::make_shared<DeviceReduce>(kind, input_since);
  return {op, std::make_unique<Reduce>(kind, input_since), std::move(there)};
}

const Registration rows[] = {
    row("ReduceSum", Kind::kSum, 13),
    row("ReduceMean", Kind::kMean, 18),
    row("ReduceSumSquare", Kind::kSumSquare, 18),
    row("ReduceL1", Kind::kL1, 18),
    row("ReduceL2", Kind::kL2, 18),
    row("ReduceLogSum", Kind::kLogSum, 18),
    row("ReduceLogSumExp", Kind::kLogSumExp, 18),
    row("ReduceProd", Kind::kProd, 18),
    row("ReduceMax", Kind::kMax, 18),
    row("ReduceMin", Kind::kMin, 18),
};

}  // namespace
}  // namespace AT_PRECISION
}  // namespace at
