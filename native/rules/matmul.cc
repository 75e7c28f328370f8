#include "core/blas.h"
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

  // Features of the unbatched operand k: every matrix that it stacks is a group.
  static void factor(Call& call, const Product& p, int k) {
    const bool left = k == 0;
    const int64_t rows = left ? p.n : p.m;   // of the batched operand, per block
    const int64_t width = left ? p.m : p.n;  // of a cotangent
    const int64_t samples = call.samples();
    const Activation& out = call.output(0);
    const int64_t step = left ? 1 : p.n;
    const std::vector<int64_t>& group = p.source[k];
    const Places places = place_rows(
        p.blocks * rows, p.own[k], samples, [&](int64_t r) { return group[r / rows]; },
        [&](int64_t r) { return sample_of(out, r / rows * p.m * p.n + r % rows * step, samples); });
    MatrixDims dims;
    dims.groups = p.own[k];
    dims.positions = places.positions;
    dims.rows = width;
    dims.cols = p.k;
    dims.transposed = !left;
    const MatrixFactor factor = call.matrix(k, dims);
    pack_blocks(call.out(0), call.count(), p.blocks, rows, width, left, places, factor.delta);
    const Real* values = call.input(1 - k).reals();
    if (p.own[1 - k] == p.blocks) {
      pack_blocks(values, 1, p.blocks, rows, p.k, left, places, factor.h);
      return;
    }
    // The batched operand is itself repeated along the groups.
    const std::vector<int64_t>& from = p.source[1 - k];
    for (int64_t b = 0; b < p.blocks; ++b) {
      const Real* block = values + from[b] * rows * p.k;
      for (int64_t r = 0; r < rows; ++r) {
        Real* to = factor.h + places.slot[b * rows + r] * p.k;
        const int64_t start = left ? r : r * p.k, stride = left ? p.n : 1;
        for (int64_t q = 0; q < p.k; ++q) to[q] = block[start + q * stride];
      }
    }
  }
};

const Registration matmul("MatMul", std::make_unique<MatMul>());

}  // namespace
}  // namespace AT_PRECISION
}  // namespace at
