#include "linear/decomposition.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/blas.h"
#include "core/lapack.h"

namespace at::linear {

namespace {

// (rows, columns) → (columns, rows)
std::vector<double> transposed(int64_t rows, int64_t columns, const double* x) {
  std::vector<double> out(rows * columns);
  for (int64_t i = 0; i < rows; ++i)
    for (int64_t j = 0; j < columns; ++j) out[j * rows + i] = x[i * columns + j];
  return out;
}

// Of b (m × k) with m ≤ k: left vectors as rows in `left` (m × m), the others in `right` (m × k).
void by_gram(int64_t m, int64_t k, const double* b, std::vector<double>* left,
             std::vector<double>* values, std::vector<double>* right) {
  std::vector<double> gram(m * m), ascending(m), image(m * k), lengths(m);
  lapack::rank_update(m, k, 1, b, k, 0, gram.data(), m);
  lapack::eigen(true, m, gram.data(), ascending.data());
  blas::gemm(false, false, m, k, m, 1.0, gram.data(), m, b, k, 0.0, image.data(), k);
  // The images' lengths are closer to the singular values than roots of the eigenvalues are.
  for (int64_t j = 0; j < m; ++j) {
    const double* row = image.data() + j * k;
    lengths[j] = std::sqrt(lapack::dot(k, row, row));
  }
  std::vector<int64_t> order(m);
  std::iota(order.rbegin(), order.rend(), int64_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](int64_t p, int64_t q) { return lengths[p] > lengths[q]; });
  left->resize(m * m);
  values->resize(m);
  right->resize(m * k);
  for (int64_t j = 0; j < m; ++j) {
    const int64_t from = order[j];
    const double length = lengths[from], scale = length > 0 ? 1 / length : 0;
    (*values)[j] = length;
    std::copy_n(gram.data() + from * m, m, left->data() + j * m);
    for (int64_t i = 0; i < k; ++i) (*right)[j * k + i] = image[from * k + i] * scale;
  }
}

}  // namespace

Decomposition decompose(int64_t m, int64_t k, const double* b) {
  const int64_t r = std::min(m, k);
  Decomposition out{std::vector<double>(m * r), std::vector<double>(r), std::vector<double>(r * k)};
  std::vector<double> copy(b, b + m * k);
  lapack::svd(m, k, copy.data(), out.u.data(), out.s.data(), out.vt.data());
  return out;
}

Decomposition decompose_by_gram(int64_t m, int64_t k, const double* b) {
  Decomposition out;
  std::vector<double> left, right;
  if (m <= k) {
    by_gram(m, k, b, &left, &out.s, &out.vt);
    out.u = transposed(m, m, left.data());
  } else {
    by_gram(k, m, transposed(m, k, b).data(), &out.vt, &out.s, &right);
    out.u = transposed(k, m, right.data());
  }
  return out;
}

}  // namespace at::linear
