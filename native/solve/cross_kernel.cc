#include <algorithm>
#include <vector>

#include "core/blas.h"
#include "core/lapack.h"
#include "core/parallel.h"
#include "solve/kernel_builder.h"
#include "solve/stream.h"

namespace at::solve {

namespace {

// Rows of out at once: bounds the scratch for the products of two factors.
constexpr int64_t kRows = 256;

std::vector<double> transformed(const double* factor, int64_t items, int64_t width,
                                const Transform& transform, size_t first, size_t last) {
  std::vector<double> out(factor, factor + items * width);
  int64_t outer = items, inner = width;
  for (size_t d = first; d < last; ++d) {
    inner /= transform.dims[d];
    transform.modes[d].apply(1, outer, inner, out.data());
    outer *= transform.dims[d];
  }
  return out;
}

// h, or what a transform adds to it where only columns are kept; `left` to be weighed by z² − 1.
std::vector<double> right_rows(const FactoredFeatures& f, const Transform& transform, bool left) {
  if (f.columns().empty())
    return transformed(f.h(), f.samples() * f.positions(), f.k(), transform, 1,
                       transform.modes.size());
  const Stretch& stretch = transform.modes[1];
  const int64_t rank = stretch.rank();
  std::vector<double> out(f.columns().size() * static_cast<size_t>(rank));
  f.project(stretch.vectors.data(), rank, out.data());
  for (size_t e = 0; left && e < out.size(); ++e) {
    const double z = stretch.z[e % static_cast<size_t>(rank)];
    out[e] *= (z - 1) * (z + 1);
  }
  return out;
}

void factored(const FactoredFeatures& a, const FactoredFeatures& b, const Transform& transform,
              double* out, const Control& control) {
  const int64_t p = a.positions(), o = a.outputs(), m = a.m(), cols = b.rows();
  const bool picks = !a.columns().empty();
  const int64_t k = picks ? transform.modes[1].rank() : a.k(), width = b.samples() * p;
  const auto da = transformed(a.delta(), a.rows() * p, m, transform, 0, 1);
  const auto ha = right_rows(a, transform, true);
  const auto db = transformed(b.delta(), b.rows() * p, m, transform, 0, 1);
  const auto hb = right_rows(b, transform, false);
  const int64_t step = std::max<int64_t>(1, kRows / (o * p));
  parallel_for((a.samples() + step - 1) / step, 1, [&](int64_t first, int64_t last) {
    for (int64_t s = first; s < last; ++s) {
      control.poll();
      const int64_t i0 = s * step, n = std::min(step, a.samples() - i0);
      std::vector<double> d(n * o * p * cols * p), h(n * p * width);
      blas::gemm(false, true, n * o * p, cols * p, m, 1.0, da.data() + i0 * o * p * m, m, db.data(),
                 m, 0.0, d.data(), cols * p);
      for (int64_t e = 0; picks && e < n * p * width; ++e)
        h[e] = a.columns()[i0 * p + e / width] == b.columns()[e % width] ? 1 : 0;
      if (k > 0)
        blas::gemm(false, true, n * p, width, k, 1.0, ha.data() + i0 * p * k, k, hb.data(), k,
                   picks ? 1.0 : 0.0, h.data(), width);
      for (int64_t i = 0; i < n; ++i)
        for (int64_t q = 0; q < o; ++q)
          for (int64_t c = 0; c < cols; ++c) {
            double total = 0;
            for (int64_t x = 0; x < p; ++x)
              total += lapack::dot(p, d.data() + ((i * o + q) * p + x) * cols * p + c * p,
                                   h.data() + (i * p + x) * width + c / o * p);
            out[((i0 + i) * o + q) * cols + c] += total;
          }
    }
  });
}

void dense(const Features& a, const Features& b, const Transform& transform, double* out,
           const Control& control) {
  // The same transform splits both into the same columns where both have the same rows; so one
  // side is kept whole.
  std::vector<double> whole(a.rows() * a.size());
  int64_t start = 0;
  parallel_for(a.rows(), 1, [&](int64_t first, int64_t last) {
    for (int64_t r = first; r < last; ++r) {
      a.row(r, whole.data() + r * a.size());
      // M is symmetric: ⟨M X, M X'⟩ = ⟨M² X, X'⟩, and X' then needs no transform.
      transform.apply(2, whole.data() + r * a.size());
    }
  });
  const Transform none = Transform::identity({b.m(), b.k()});
  stream_transformed(b, none, control, [&](const double* x, int64_t width) {
    blas::parallel_gemm(false, true, a.rows(), b.rows(), width, 1.0, whole.data() + start, a.size(),
                        x, width, 1.0, out, b.rows());
    start += width;
  });
}

// The flattened block's share beyond its plain kernel: Σ (z² − 1) ŷ ŷ'ᵀ.
void add_outer(const Features& a, const Features& b, const Stretch& stretch, double* out) {
  for (int64_t j = 0; j < stretch.rank(); ++j) {
    std::vector<double> ya(a.rows(), 0.0), yb(b.rows(), 0.0);
    a.apply(stretch.vectors.data() + j * stretch.dim, ya.data());
    b.apply(stretch.vectors.data() + j * stretch.dim, yb.data());
    const double w = (stretch.z[j] - 1) * (stretch.z[j] + 1);
    for (int64_t r = 0; r < a.rows(); ++r)
      for (int64_t c = 0; c < b.rows(); ++c) out[r * b.rows() + c] += w * ya[r] * yb[c];
  }
}

}  // namespace

void cross_kernel(const FeatureSet& a, const FeatureSet& b,
                  const std::vector<Transform>& transforms, double* out, const Control& control) {
  const int64_t rows = a.at(0)->rows(), cols = b.at(0)->rows();
  std::fill_n(out, rows * cols, 0.0);
  for (size_t i = 0; i < a.size(); ++i) {
    control.poll();
    const auto* fa = dynamic_cast<const FactoredFeatures*>(a[i].get());
    const auto* fb = dynamic_cast<const FactoredFeatures*>(b[i].get());
    const bool flat = transforms[i].numbers.empty() && transforms[i].modes.size() == 1;
    const Transform t = flat ? Transform::identity({a[i]->m(), a[i]->k()}) : transforms[i];
    if (flat) add_outer(*a[i], *b[i], transforms[i].modes[0], out);
    if (fa && fb && fa->positions() == fb->positions() && t.numbers.empty() &&
        fa->columns().empty() == fb->columns().empty()) {
      factored(*fa, *fb, t, out, control);
    } else {
      dense(*a[i], *b[i], t, out, control);
    }
  }
}

}  // namespace at::solve
