#include "core/blas.h"
#include "device/functions/fill.h"
#include "rules/device/flow.h"
#include "rules/support/elementwise.h"
#include "rules/support/equation.h"
#include "rules/support/permute.h"

namespace at {
inline namespace AT_PRECISION {
namespace {

using Labels = std::vector<int>;

int64_t extent(const Equation& e, const Labels& labels) {
  int64_t product = 1;
  for (int label : labels) product *= e.size.at(label);
  return product;
}

// Copies `from` so that its axes lie in the order of `order`; labels that it lacks are repeated.
void arrange(const Equation& e, int64_t count, const Labelled& source, const Labels& order,
             const Real* from, int64_t from_step, Real* to) {
  Shape shape, strides;
  for (int label : order) {
    shape.push_back(e.size.at(label));
    strides.push_back(source.has(label) ? source.stride.at(label) : 0);
  }
  gather_strided(count, shape, strides, from, to, from_step);
}

// Row-major array of these labels.
Labelled packed(const Equation& e, const Labels& labels) {
  Labelled result;
  result.labels = labels;
  int64_t step = 1;
  for (size_t a = labels.size(); a-- > 0;) {
    result.stride[labels[a]] = step;
    step *= e.size.at(labels[a]);
  }
  return result;
}

bool contains(const Labels& labels, int label) {
  return std::find(labels.begin(), labels.end(), label) != labels.end();
}

// What the product of the others must keep for a sum over all labels but `target`.
Labels kept_by_others(const Labelled& layout, const Labels& target) {
  Labels kept(target);
  for (int label : layout.labels)
    if (!contains(kept, label)) kept.push_back(label);
  return kept;
}

// All labels of the operands but k, those in `kept` first, which `labels` gets.
Labels order_of_others(const Equation& e, int k, const Labels& kept, Labels& labels) {
  Labels all;
  for (size_t q = 0; q < e.operands.size(); ++q) {
    if (static_cast<int>(q) == k) continue;
    for (int label : e.operands[q].labels)
      if (!contains(all, label)) all.push_back(label);
  }
  for (int label : all)
    if (contains(kept, label)) labels.push_back(label);
  Labels order(labels);
  for (int label : all)
    if (!contains(kept, label)) order.push_back(label);
  return order;
}

// The labels of a matrix product, and the order in which it takes its operands.
struct Split {
  Labels batch, rows, columns, summed;

  Split(const Labelled& p, const Labels& q, const Labels& target) {
    for (int label : target) {
      const bool in_p = p.has(label), in_q = contains(q, label);
      if (in_p && in_q) batch.push_back(label);
      if (in_p && !in_q) rows.push_back(label);
      if (!in_p && in_q) columns.push_back(label);
    }
    for (int label : p.labels)
      if (!contains(target, label)) summed.push_back(label);
  }

  Labels left() const { return joined(batch, rows, summed); }
  Labels right() const { return joined(batch, summed, columns); }
  Labels result() const { return joined(batch, rows, columns); }

 private:
  static Labels joined(Labels a, const Labels& b, const Labels& c) {
    a.insert(a.end(), b.begin(), b.end());
    a.insert(a.end(), c.begin(), c.end());
    return a;
  }
};

// A sum of products. The cotangent of an operand is an einsum again: the output's cotangent times
// all other operands, summed over what the operand lacks. It is done as matrix products.
class Einsum final : public Rule {
 public:
  int factors(const Node& node) const override { return static_cast<int>(node.inputs.size()); }
  Needs needs(const Node& node, const std::vector<bool>& wanted) const override {
    Needs needs;
    for (size_t k = 0; k < node.inputs.size(); ++k) {
      bool other = false;
      for (size_t q = 0; q < wanted.size(); ++q) other = other || (q != k && wanted[q]);
      if (other) needs.inputs.push_back(static_cast<int>(k));
    }
    return needs;
  }

  void reverse(Call& call) const override {
    const Equation e(call, call.samples());
    for (size_t q = 0; q < e.operands.size(); ++q) {
      const int k = static_cast<int>(q);
      if (!call.wants(k)) continue;
      // The result: the operand's labels, and the samples where they are kept apart.
      const bool apart = call.per_sample(k) && call.samples() > 1;
      Labels target = e.operands[q].labels;
      if (apart) target.insert(target.begin(), e.sample);
      write(
          call, e, k, apart,
          contract(call, e, k, target, e.output, call.count(), call.out(0), call.output(0).size()));
    }
  }

  // The tangent is the sum of the same products with one operand's tangent in its place.
  void forward(TangentCall& call) const override {
    const Equation e(call, 1);
    const int64_t size = call.output(0).size(), count = call.count();
    Real* out = nullptr;
    for (size_t q = 0; q < e.operands.size(); ++q) {
      const int k = static_cast<int>(q);
      if (!call.in(k)) continue;
      const Product product = contract(call, e, k, e.output.labels, e.operands[q], count,
                                       call.in(k), call.input(k).size());
      Real* to = out ? call.scratch(count * size) : call.out(0);
      arrange(e, count, product.layout, e.output.labels, product.data, product.size, to);
      if (out) {
        each_element(count * size, [&](int64_t i) { out[i] += to[i]; });
      } else {
        out = to;
      }
    }
  }

 private:
  struct Product {
    Labelled layout;
    int64_t size;  // for each of `count`
    const Real* data;
  };

  // p (count, …), laid as `layout`, times all operands but k, summed over all labels but `target`.
  static Product contract(NodeView& call, const Equation& e, int k, const Labels& target,
                          const Labelled& layout, int64_t count, const Real* p, int64_t p_step) {
    Labels q_labels;
    const Real* q = product_of_others(call, e, k, kept_by_others(layout, target), q_labels);
    const Split split(layout, q_labels, target);
    const int64_t blocks = extent(e, split.batch), inner = extent(e, split.summed);
    const int64_t m = extent(e, split.rows), n = extent(e, split.columns);
    Real* left = call.scratch(count * blocks * m * inner);
    arrange(e, count, layout, split.left(), p, p_step, left);
    Real* right = call.scratch(blocks * inner * n);
    arrange(e, 1, packed(e, q_labels), split.right(), q, 0, right);
    Real* result = call.scratch(count * blocks * m * n);
    if (blocks == 1) {
      blas::parallel_gemm(false, false, count * m, n, inner, Real(1.0), left, inner, right, n,
                          Real(0.0), result, n);
    } else {
      parallel_for(count * blocks, grain_for(m * n * inner / 16), [&](int64_t f, int64_t l) {
        for (int64_t item = f; item < l; ++item)
          blas::gemm(false, false, m, n, inner, Real(1.0), left + item * m * inner, inner,
                     right + item % blocks * inner * n, n, Real(0.0), result + item * m * n, n);
      });
    }
    return {packed(e, split.result()), blocks * m * n, result};
  }

  // The product of all operands but k, summed to the labels in `kept`; row-major in `labels`.
  static const Real* product_of_others(NodeView& call, const Equation& e, int k, const Labels& kept,
                                       Labels& labels) {
    const Labels order = order_of_others(e, k, kept, labels);
    const int64_t size = extent(e, order), small = extent(e, labels);
    Real* product = nullptr;
    for (size_t q = 0; q < e.operands.size(); ++q) {
      if (static_cast<int>(q) == k) continue;
      Real* own = call.scratch(size);
      arrange(e, 1, e.operands[q], order, call.input(static_cast<int>(q)).reals(), 0, own);
      if (!product) {
        product = own;
        continue;
      }
      for (int64_t i = 0; i < size; ++i) product[i] *= own[i];
    }
    if (!product) {
      product = call.scratch(1);
      product[0] = 1;
      return product;
    }
    if (small == size) return product;
    Real* sums = call.scratch(small);
    const int64_t each = size / std::max<int64_t>(1, small);
    for (int64_t i = 0; i < small; ++i) {
      Real sum = 0;
      for (int64_t s = 0; s < each; ++s) sum += product[i * each + s];
      sums[i] = sum;
    }
    return sums;
  }

  // Puts the result in the operand's own order; off its diagonals, if it has some, is 0.
  static void write(Call& call, const Equation& e, int k, bool apart, const Product& product) {
    Labels order(e.axes[k]);
    if (apart) order.insert(order.begin(), e.sample);
    const int64_t count = call.count();
    Real* in = call.in(k);
    if (order.size() == e.operands[k].labels.size() + (apart ? 1 : 0)) {
      arrange(e, count, product.layout, order, product.data, product.size, in);
      return;
    }
    const int64_t size = call.input(k).size(), samples = apart ? call.samples() : 1;
    Labels unique(e.operands[k].labels);
    const Labelled own = e.operands[k];  // its strides are those of the diagonal
    if (apart) unique.insert(unique.begin(), e.sample);
    const int64_t length = extent(e, unique);
    Real* ordered = call.scratch(count * length);
    arrange(e, count, product.layout, unique, product.data, product.size, ordered);
    fill_zero(in, count * samples * size);
    for (int64_t c = 0; c < count; ++c) {
      for (int64_t i = 0; i < length; ++i) {
        int64_t rest = i, at = 0;
        for (size_t a = unique.size(); a-- > 0;) {
          const int64_t index = rest % e.size.at(unique[a]);
          rest /= e.size.at(unique[a]);
          at += index * (apart && a == 0 ? size : own.stride.at(unique[a]));
        }
        in[c * samples * size + at] = ordered[c * length + i];
      }
    }
  }
};

// The same on a device.
class DeviceEinsum final : public DeviceRule {
 public:
  bool fits(const Call& view) const override {
    const Equation e(view, view.samples());
    for (int k = 0; k < static_cast<int>(e.operands.size()); ++k)
      if (view.wants(k) && view.per_sample(k) && view.samples() > 1 && e.sample < 0) return false;
    return few(view, e);
  }

  void reverse(DeviceCall& call) const override {
    const Call& view = call.view();
    const Equation e(view, view.samples());
    for (int k = 0; k < static_cast<int>(e.operands.size()); ++k) {
      if (!view.wants(k)) continue;
      Labels target = e.operands[static_cast<size_t>(k)].labels;
      const bool apart = view.per_sample(k) && view.samples() > 1;
      if (apart) target.insert(target.begin(), e.sample);
      write(call, e, k, apart, target,
            contract(call, e, k, target, {e.output, view.output(0).size(), call.out(0)},
                     view.count()));
    }
  }

  bool forward(DeviceTangentCall& call) const override {
    const TangentCall& view = call.view();
    const Equation e(view, 1);
    if (!few(view, e)) return false;
    for (int k = 0; k < static_cast<int>(e.operands.size()); ++k) {
      if (!call.has_in(k)) continue;
      const Product product = contract(
          call, e, k, e.output.labels,
          {e.operands[static_cast<size_t>(k)], view.input(k).size(), call.in(k)}, view.count());
      call.put(0, arranged(call, e, view.count(), product.layout, e.output.labels, product.numbers,
                           product.size));
    }
    return true;
  }

 private:
  struct Product {
    Labelled layout;
    int64_t size;  // for each of `count`
    DeviceNumbers numbers;
  };

  // Are there few enough numbers and labels?
  static bool few(const NodeView& view, const Equation& e) {
    for (int k = 0; k < static_cast<int>(e.operands.size()); ++k)
      if (view.input(k).size() == 0 || view.input(k).size() >= INT32_MAX) return false;
    return view.output(0).size() > 0 && view.output(0).size() < INT32_MAX &&
           e.size.size() < static_cast<size_t>(device::kMostAxes);
  }

  // to (count, order…), packed.
  static DeviceNumbers arranged(DeviceNode& call, const Equation& e, int64_t count,
                                const Labelled& source, const Labels& order,
                                const DeviceNumbers& from, int64_t from_step) {
    const int64_t size = extent(e, order);
    const DeviceNumbers to = call.stream().take<Real>(count * size);
    Shape sizes = {count}, steps = {from_step}, to_steps = {size};
    const Labelled own = packed(e, order);
    for (int label : order) {
      sizes.push_back(e.size.at(label));
      steps.push_back(source.has(label) ? source.stride.at(label) : 0);
      to_steps.push_back(own.stride.at(label));
    }
    copy_strided(call.stream(), sizes, steps, from.at(), to_steps, to.at());
    return to;
  }

  // As Einsum::contract.
  static Product contract(DeviceNode& call, const Equation& e, int k, const Labels& target,
                          const Product& from, int64_t count) {
    const Labelled& layout = from.layout;
    Labels q_labels;
    const DeviceNumbers others =
        product_of_others(call, e, k, kept_by_others(layout, target), q_labels);
    const Split split(layout, q_labels, target);
    const int64_t blocks = extent(e, split.batch);
    const DeviceNumbers left =
        arranged(call, e, count, layout, split.left(), from.numbers, from.size);
    const DeviceNumbers right = arranged(call, e, 1, packed(e, q_labels), split.right(), others, 0);
    device::Product<Real> p;
    p.m = extent(e, split.rows), p.n = extent(e, split.columns), p.k = extent(e, split.summed);
    p.lda = p.k, p.ldb = p.ldc = p.n;
    const int64_t m = p.m, own = m * p.n, size = blocks * own;
    const DeviceNumbers result = call.stream().take<Real>(count * size);
    p.a = left.at(), p.b = right.at(), p.c = result.at();
    const Product product{packed(e, split.result()), size, result};
    if (blocks == 1) {
      p.m = count * m;
      call.stream().multiply(p);
      return product;
    }
    const bool by_cotangent = count <= blocks;
    p.batch = by_cotangent ? blocks : count;
    p.step_a = by_cotangent ? m * p.k : blocks * m * p.k;
    p.step_b = by_cotangent ? p.k * p.n : 0;
    p.step_c = by_cotangent ? own : size;
    for (int64_t r = 0; r < (by_cotangent ? count : blocks); ++r) {
      p.a = left.at(r * (by_cotangent ? blocks : 1) * m * p.k);
      p.b = right.at(by_cotangent ? 0 : r * p.k * p.n);
      p.c = result.at(r * (by_cotangent ? size : own));
      call.stream().multiply(p);
    }
    return product;
  }

  // As Einsum::product_of_others.
  static DeviceNumbers product_of_others(DeviceNode& call, const Equation& e, int k,
                                         const Labels& kept, Labels& labels) {
    const Labels order = order_of_others(e, k, kept, labels);
    const int64_t size = extent(e, order), small = extent(e, labels);
    DeviceNumbers product;
    for (size_t q = 0; q < e.operands.size(); ++q) {
      const int input = static_cast<int>(q);
      if (input == k) continue;
      const DeviceNumbers own = arranged(call, e, 1, e.operands[q], order, call.input(input), 0);
      if (!product) {
        product = own;
        continue;
      }
      const DeviceNumbers next = call.stream().take<Real>(size);
      compute(call, 1, {size}, {own, {size}}, device::Factor<Real>{}, {{product, {size}}},
              next.at());
      product = next;
    }
    if (!product) return call.sent(std::vector<Real>{1});
    if (small == size) return product;
    return summed(call, 1, {small, size / small}, {small, 1}, product, device::Constant<Real>{1},
                  {});
  }

  // Puts the result in the operand's own order; off its diagonals, if it has some, is 0.
  static void write(DeviceCall& call, const Equation& e, int k, bool apart, const Labels& target,
                    const Product& product) {
    const int64_t count = call.view().count(), size = call.view().input(k).size();
    const int64_t each = (apart ? call.view().samples() : 1) * size;
    const device::Pointer<Real> in = call.in(k);
    if (extent(e, target) != each)
      device::for_rows(call.stream(), 1, count * each, device::Fill<Real>{in, count * each, 0});
    Shape sizes = {count}, from = {product.size}, to = {each};
    for (int label : target) {
      sizes.push_back(e.size.at(label));
      // What neither has is repeated.
      from.push_back(product.layout.has(label) ? product.layout.stride.at(label) : 0);
      to.push_back(
          apart && label == e.sample ? size : e.operands[static_cast<size_t>(k)].stride.at(label));
    }
    copy_strided(call.stream(), sizes, from, product.numbers.at(), to, in);
  }
};

const Registration einsum("Einsum", std::make_unique<Einsum>(), std::make_shared<DeviceEinsum>());

}  // namespace
}  // namespace AT_PRECISION
}  // namespace at
