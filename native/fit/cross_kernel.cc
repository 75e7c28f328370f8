#include <algorithm>
#include <vector>

#include "core/blas.h"
#include "core/parallel.h"
#include "fit/kernel_builder.h"
#include "fit/stream.h"
#include "kernels/add_tile.h"

namespace at::fit {

namespace {

// Rows of a tile: bounds the scratch for the products of two factors.
constexpr int64_t kTileRows = 256;

void factored(const FactoredFeatures& a, const FactoredFeatures& b, const Transform& transform,
              double* out, const Control& control) {
  const int64_t outputs = a.outputs(), cols = b.rows();
  const auto left = sides_of(a, transform), right = sides_of(b, transform);
  Pool pool;
  const kernels::Grid grid(a.samples(), b.samples(), std::max<int64_t>(1, kTileRows / outputs));
  grid.each([&](const kernels::Place& place) {
    control.poll();
    double* to = out + place.rows.first * outputs * cols + place.cols.first * outputs;
    for (size_t s = 0; s < left.size(); ++s)
      kernels::add_tile<double>({left[s].side, right[s].side, place, {to, cols}}, pool, control);
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
    if (fa && fb && t.numbers.empty() && fa->picks() == fb->picks()) {
      factored(*fa, *fb, t, out, control);
    } else {
      dense(*a[i], *b[i], t, out, control);
    }
  }
}

}  // namespace at::fit
