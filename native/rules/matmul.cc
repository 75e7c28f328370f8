#include "core/blas.h"
#include "rules/device/flow.h"
#include "rules/device/packed.h"
#include "rules/support/elementwise.h"
#include "rules/support/pack.h"

namespace at {
inline namespace AT_PRECISION {
namespace {

// Y (…, M, N) = A (…, M, K)·B (…, K, N) as numpy.matmul: one-dimensional operands are a row and a
// column, leading axes are broadcast.
struct Product {
  int64_t m = 1, n = 1, k = 1;
  int64_t blocks = 1;              // leading elements of Y
  int64_t own[2] = {1, 1};         // leading elements of A, of B
  std::vector<int64_t> source[2];  // which matrix of A, of B makes block b of Y

  Product(const Shape& a, const Shape& b) {
    m = a.size() > 1 ? a[a.size() - 2] : 1;
    k = a.back();
    n = b.size() > 1 ? b.back() : 1;
    const Shape lead[2] = {leading(a), leading(b)};
    const Shape all = broadcast(lead[0], lead[1]);
    blocks = element_count(all);
    for (int side = 0; side < 2; ++side) {
      own[side] = element_count(lead[side]);
      source[side] = sources(all, lead[side]);
    }
  }

 private:
  static Shape leading(const Shape& shape) {
    return shape.size() > 2 ? Shape(shape.begin(), shape.end() - 2) : Shape();
  }
  static std::vector<int64_t> sources(const Shape& all, const Shape& own) {
    const Shape strides = row_major_strides(own);
    const size_t lead = all.size() - own.size();
    std::vector<int64_t> result(static_cast<size_t>(element_count(all)));
    for (size_t b = 0; b < result.size(); ++b) {
      int64_t rest = static_cast<int64_t>(b), at = 0;
      for (size_t axis = all.size(); axis-- > 0;) {
        const int64_t index = rest % all[axis];
        rest /= all[axis];
        if (axis >= lead && own[axis - lead] != 1) at += index * strides[axis - lead];
      }
      result[b] = at;
    }
    return result;
  }
};

// Features of the unbatched operand k: every matrix that it stacks is a group.
struct Factors {
  bool left;
  int64_t rows;  // of the batched operand, per block
  Places places;
  MatrixDims dims;

  Factors(const Call& call, const Product& p, int k)
      : left(k == 0), rows(left ? p.n : p.m), from_(p.source[1 - k]) {
    const int64_t step = left ? 1 : p.n, samples = call.samples();
    const Activation& out = call.output(0);
    const std::vector<int64_t>& group = p.source[k];
    places = place_rows(
        p.blocks * rows, p.own[k], samples, [&](int64_t r) { return group[r / rows]; },
        [&](int64_t r) { return sample_of(out, r / rows * p.m * p.n + r % rows * step, samples); });
    dims.groups = p.own[k];
    dims.positions = places.positions;
    dims.rows = left ? p.m : p.n;  // of a cotangent
    dims.cols = p.k;
    dims.transposed = !left;
  }
  // Where row r of block b begins in the batched operand, and its elements' distance.
  int64_t partner(const Product& p, int64_t b, int64_t r) const {
    return from_[b] * rows * p.k + (left ? r : r * p.k);
  }
  int64_t stride(const Product& p) const { return left ? p.n : 1; }

 private:
  const std::vector<int64_t>& from_;
};

class MatMul final : public Rule {
 public:
  int factors(const Node&) const override { return 2; }
  Needs needs(const Node&, const std::vector<bool>& wanted) const override {
    return needs_of_product(wanted);
  }

  void reverse(Call& call) const override {
    const Product p(call.input(0).shape, call.input(1).shape);
    for (int k = 0; k < 2; ++k) {
      if (!call.wants(k)) continue;
      if (call.per_sample(k)) {
        factor(call, p, k);
      } else {
        plain(call, p, k);
      }
    }
  }

  void forward(TangentCall& call) const override {
    const Product p(call.input(0).shape, call.input(1).shape);
    Real* out = call.out(0);
    bool add = false;
    for (int k = 0; k < 2; ++k) {
      const bool single = k == 1 && p.own[1] == 1 && p.own[0] == p.blocks;
      const bool applied = single && call.apply(1, false, p.blocks * p.m, call.input(0).reals(), 1,
                                                add ? Real(1.0) : Real(0.0), out);
      if (!applied) {
        if (!call.in(k)) continue;
        tangent(call, p, k, add, out);
      }
      add = true;
    }
  }

 private:
  // out (+)= the product with operand k replaced by its tangent.
  static void tangent(TangentCall& call, const Product& p, int k, bool add, Real* out) {
    const int64_t count = call.count();
    const Real beta = add ? 1 : 0;
    const Real* a = k == 0 ? call.in(0) : call.input(0).reals();
    const Real* b = k == 1 ? call.in(1) : call.input(1).reals();
    const int64_t rows = p.blocks * p.m, size = p.m * p.n;
    if (p.own[1] == 1 && p.own[0] == p.blocks) {
      // One matrix on the right: all blocks, and all tangents of the left, in one product.
      const int64_t times = k == 0 ? 1 : count, height = k == 0 ? count * rows : rows;
      for (int64_t d = 0; d < times; ++d)
        blas::parallel_gemm(false, false, height, p.n, p.k, 1, a, p.k, b + d * p.k * p.n, p.n, beta,
                            out + d * rows * p.n, p.n);
      return;
    }
    const int64_t step_a = k == 0 ? p.own[0] * p.m * p.k : 0;
    const int64_t step_b = k == 1 ? p.own[1] * p.k * p.n : 0;
    parallel_for(count * p.blocks, grain_for(size * p.k / 16), [&](int64_t first, int64_t last) {
      for (int64_t item = first; item < last; ++item) {
        const int64_t d = item / p.blocks, block = item % p.blocks;
        blas::gemm(false, false, p.m, p.n, p.k, 1, a + d * step_a + p.source[0][block] * p.m * p.k,
                   p.k, b + d * step_b + p.source[1][block] * p.k * p.n, p.n, beta,
                   out + item * size, p.n);
      }
    });
  }

  static void plain(Call& call, const Product& p, int k) {
    const int64_t count = call.count();
    const Real* out = call.out(0);
    const Real* other = call.input(1 - k).reals();
    Real* in = call.in(k);
    if (k == 0 && p.own[1] == 1) {
      // A weight on the right: one product for all cotangents, rows (c, …, M).
      blas::parallel_gemm(false, true, count * p.blocks * p.m, p.k, p.n, 1, out, p.n, other, p.n, 0,
                          in, p.k);
      return;
    }
    const bool sums = p.own[k] != p.blocks;
    const int64_t size = k == 0 ? p.m * p.k : p.k * p.n;
    if (sums) fill_zero(in, count * p.own[k] * size);
    // Blocks that add into the same matrix stay in one piece of work.
    const int64_t items = sums ? count : count * p.blocks;
    const int64_t each = sums ? p.blocks : 1;
    const auto grain = grain_for(each * p.m * p.n * p.k / 16);
    parallel_for(items, grain, [&](int64_t first, int64_t last) {
      for (int64_t item = first * each; item < last * each; ++item) {
        const int64_t c = item / p.blocks, b = item % p.blocks;
        const Real* g = out + item * p.m * p.n;
        Real* to = in + (c * p.own[k] + p.source[k][b]) * size;
        const Real beta = sums ? 1 : 0;
        if (k == 0) {
          blas::gemm(false, true, p.m, p.k, p.n, 1, g, p.n, other + p.source[1][b] * p.k * p.n, p.n,
                     beta, to, p.k);
        } else {
          blas::gemm(true, false, p.k, p.n, p.m, 1, other + p.source[0][b] * p.m * p.k, p.k, g, p.n,
                     beta, to, p.n);
        }
      }
    });
  }

  static void factor(Call& call, const Product& p, int k) {
    const Factors f(call, p, k);
    const MatrixFactor factor = call.matrix(k, f.dims);
    pack_blocks(call.out(0), call.count(), p.blocks, f.rows, f.dims.rows, f.left, f.places,
                factor.delta);
    const Real* values = call.input(1 - k).reals();
    if (p.own[1 - k] == p.blocks) {
      pack_blocks(values, 1, p.blocks, f.rows, p.k, f.left, f.places, factor.h);
      return;
    }
    // The batched operand is itself repeated along the groups.
    for (int64_t b = 0; b < p.blocks; ++b) {
      for (int64_t r = 0; r < f.rows; ++r) {
        const Real* from = values + f.partner(p, b, r);
        Real* to = factor.h + f.places.slot[b * f.rows + r] * p.k;
        for (int64_t q = 0; q < p.k; ++q) to[q] = from[q * f.stride(p)];
      }
    }
  }
};

// The same on a device.
class DeviceMatMul final : public DeviceRule {
 public:
  bool fits(const Call& view) const override {
    const Product p(view.input(0).shape, view.input(1).shape);
    if (!few(view, p)) return false;
    for (int k = 0; k < 2; ++k) {
      if (!view.wants(k) || view.per_sample(k)) continue;
      if (!evenly(p)) return false;
      constexpr int64_t kMostSums = 256;
      if (k == 0 && p.own[0] != p.blocks && p.blocks > kMostSums) return false;
    }
    return true;
  }

  void reverse(DeviceCall& call) const override {
    const Call& view = call.view();
    const Product p(view.input(0).shape, view.input(1).shape);
    for (int k = 0; k < 2; ++k) {
      if (!view.wants(k)) continue;
      view.per_sample(k) ? factor(call, p, k) : plain(call, p, k);
    }
  }

  bool forward(DeviceTangentCall& call) const override {
    const TangentCall& view = call.view();
    const Product p(view.input(0).shape, view.input(1).shape);
    if (!few(view, p) || !evenly(p)) return false;
    for (int k = 0; k < 2; ++k)
      if (call.has_in(k)) tangent(call, p, k);
    return true;
  }

 private:
  static bool few(const NodeView& view, const Product& p) {
    if (view.output(0).size() == 0 || p.k == 0) return false;
    for (const Activation* value : {&view.output(0), &view.input(0), &view.input(1)})
      if (value->size() >= INT32_MAX) return false;
    return true;
  }
  // Broadcasting along some of the leading axes only is left to the host.
  static bool evenly(const Product& p) {
    for (const int64_t own : p.own)
      if (own != 1 && own != p.blocks) return false;
    return true;
  }

  // The product with operand k replaced by its tangent.
  static void tangent(DeviceTangentCall& call, const Product& p, int k) {
    const int64_t count = call.view().count(), rows = p.blocks * p.m;
    const DeviceNumbers a = k == 0 ? call.in(0) : call.input(0);
    const DeviceNumbers b = k == 1 ? call.in(1) : call.input(1);
    const auto [to, adds] = call.sum(0);
    device::Product<Real> q;
    q.beta = adds ? 1 : 0;
    q.m = p.m, q.n = q.ldb = q.ldc = p.n, q.k = q.lda = p.k;
    q.a = a.at(), q.b = b.at(), q.c = to;
    const int64_t whole_a = k == 0 ? p.own[0] * p.m * p.k : 0;
    const int64_t whole_b = k == 1 ? p.own[1] * p.k * p.n : 0, whole_c = rows * p.n;
    if (p.own[1] == 1 && p.own[0] == p.blocks) {
      // One matrix on the right: all blocks, and all tangents of the left, in one product.
      q.m = k == 0 ? count * rows : rows;
      q.batch = k == 0 ? 1 : count;
      q.step_b = whole_b;
      q.step_c = whole_c;
      return call.stream().multiply(q);
    }
    const int64_t block_a = p.own[0] == 1 ? 0 : p.m * p.k, block_b = p.own[1] == 1 ? 0 : p.k * p.n;
    const bool by_tangent = count <= p.blocks;
    q.batch = by_tangent ? p.blocks : count;
    q.step_a = by_tangent ? block_a : whole_a;
    q.step_b = by_tangent ? block_b : whole_b;
    q.step_c = by_tangent ? p.m * p.n : whole_c;
    for (int64_t r = 0; r < (by_tangent ? count : p.blocks); ++r) {
      q.a = a.at(r * (by_tangent ? whole_a : block_a));
      q.b = b.at(r * (by_tangent ? whole_b : block_b));
      q.c = to + r * (by_tangent ? whole_c : p.m * p.n);
      call.stream().multiply(q);
    }
  }

  // in = G·Bᵀ, or Aᵀ·G.
  static void plain(DeviceCall& call, const Product& p, int k) {
    const int64_t count = call.view().count(), size = p.m * p.n;
    const int64_t own = k == 0 ? p.m * p.k : p.k * p.n, other = k == 0 ? p.k * p.n : p.m * p.k;
    const DeviceNumbers partner = call.input(1 - k);
    const device::Pointer<Real> in = call.in(k);
    const bool sums = p.own[k] != p.blocks, single = p.own[1 - k] == 1;
    // Products over (cotangents, blocks) from block `first` of them on.
    const auto multiply = [&](int64_t c, int64_t b, int64_t batch, int64_t step_g,
                              int64_t step_other, int64_t step_in, int64_t rows, bool adds) {
      device::Product<Real> q;
      const device::Pointer<const Real> g = call.out(0).at((c * p.blocks + b) * size);
      const device::Pointer<const Real> with = partner.at(single ? 0 : b * other);
      q.c = in + (c * p.own[k] + (sums ? 0 : b)) * own;
      q.batch = batch;
      q.step_c = step_in;
      q.beta = adds ? 1 : 0;
      if (k == 0) {
        q.trans_b = true;
        q.m = rows, q.n = p.k, q.k = p.n;
        q.a = g, q.lda = p.n, q.step_a = step_g;
        q.b = with, q.ldb = p.n, q.step_b = step_other;
        q.ldc = p.k;
      } else {
        q.trans_a = true;
        q.m = p.k, q.n = p.n, q.k = rows;
        q.a = with, q.lda = p.k, q.step_a = step_other;
        q.b = g, q.ldb = p.n, q.step_b = step_g;
        q.ldc = p.n;
      }
      call.stream().multiply(q);
    };
    if (sums && k == 1)
      return multiply(0, 0, count, p.blocks * size, 0, own, p.blocks * p.m, false);
    if (sums) {
      for (int64_t b = 0; b < p.blocks; ++b)
        multiply(0, b, count, p.blocks * size, 0, own, p.m, b > 0);
    } else if (single && k == 0) {
      multiply(0, 0, 1, 0, 0, 0, count * p.blocks * p.m, false);
    } else if (single) {
      multiply(0, 0, count * p.blocks, size, 0, own, p.m, false);
    } else if (count <= p.blocks) {
      for (int64_t c = 0; c < count; ++c) multiply(c, 0, p.blocks, size, other, own, p.m, false);
    } else {
      for (int64_t b = 0; b < p.blocks; ++b)
        multiply(0, b, count, p.blocks * size, 0, p.blocks * own, p.m, false);
    }
  }

  static void factor(DeviceCall& call, const Product& p, int k) {
    const Factors f(call.view(), p, k);
    const int64_t blocks = p.blocks * f.rows;
    RowPlaces delta, h;
    delta.begin.resize(static_cast<size_t>(blocks));
    h.begin.resize(static_cast<size_t>(blocks));
    delta.stride = f.left ? p.n : 1;
    h.stride = f.stride(p);
    for (int64_t b = 0; b < p.blocks; ++b)
      for (int64_t r = 0; r < f.rows; ++r) {
        const auto slot = static_cast<size_t>(f.places.slot[b * f.rows + r]);
        delta.begin[slot] = static_cast<int32_t>(b * p.m * p.n + r * (f.left ? 1 : p.n));
        h.begin[slot] = static_cast<int32_t>(f.partner(p, b, r));
      }
    const int64_t size = call.view().input(1 - k).size();
    call.matrix(
        k, f.dims,
        packed(call, call.out(0), call.view().count(), p.blocks * p.m * p.n, f.dims.rows, delta),
        packed(call, call.input(1 - k), 1, size, p.k, h));
  }
};

const Registration matmul("MatMul", std::make_unique<MatMul>(), std::make_shared<DeviceMatMul>());

}  // namespace
}  // namespace AT_PRECISION
}  // namespace at
