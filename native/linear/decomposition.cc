#include "linear/decomposition.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/blas.h"
#include "core/lapack.h"
#include "device/functions/reduce.h"
#include "device/launch.h"

namespace at::linear {

namespace {

// (rows, columns) → (columns, rows)
std::vector<double> transposed(int64_t rows, int64_t columns, const double* x) {
  std::vector<double> out(rows * columns);
  for (int64_t i = 0; i < rows; ++i)
    for (int64_t j = 0; j < columns; ++j) out[j * rows + i] = x[i * columns + j];
  return out;
}

// Of b (m × k): the eigenvectors of b·bᵀ as rows (m × m), their images under b (m × k) and the
// lengths of these.
struct Images {
  std::vector<double> vectors, images, lengths;
};

Images images_of(int64_t m, int64_t k, const double* b) {
  Images out{std::vector<double>(m * m), std::vector<double>(m * k), std::vector<double>(m)};
  std::vector<double> ascending(m);
  lapack::rank_update(m, k, 1, b, k, 0, out.vectors.data(), m);
  lapack::eigen(true, m, out.vectors.data(), ascending.data());
  blas::gemm(false, false, m, k, m, 1.0, out.vectors.data(), m, b, k, 0.0, out.images.data(), k);
  for (int64_t j = 0; j < m; ++j) {
    const double* row = out.images.data() + j * k;
    out.lengths[j] = std::sqrt(lapack::dot(k, row, row));
  }
  return out;
}

Images images_of(int64_t m, int64_t k, const double* b, device::Stream& stream) {
  const auto from = stream.send(b, m * k);
  const auto vectors = stream.take<double>(m * m), values = stream.take<double>(m),
             images = stream.take<double>(m * k), squares = stream.take<double>(m);
  stream.gram(device::Gram<double>{m, k, from.at(), k, vectors.at(), m});
  stream.eigen(device::Eigen<double>{true, m, vectors.at(), values.at()});
  device::Product<double> p;
  p.m = m, p.n = k, p.k = m;
  p.a = vectors.at(), p.lda = m;
  p.b = from.at(), p.ldb = k;
  p.c = images.at(), p.ldc = k;
  stream.multiply(p);
  device::sum_rows(stream, m, k,
                   device::Dots<double>{images.at(), k, images.at(), k, squares.at()});
  Images out{stream.fetch(vectors, m * m), stream.fetch(images, m * k), stream.fetch(squares, m)};
  for (double& length : out.lengths) length = std::sqrt(length);
  return out;
}

// Of b (m × k) with m ≤ k: left vectors as rows in `left` (m × m), the others in `right` (m × k).
void by_gram(int64_t m, int64_t k, const double* b, device::Stream* stream,
             std::vector<double>* left, std::vector<double>* values, std::vector<double>* right) {
  const Images found = stream ? images_of(m, k, b, *stream) : images_of(m, k, b);
  // The images' lengths are closer to the singular values than roots of the eigenvalues are.
  const std::vector<double>& lengths = found.lengths;
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
    std::copy_n(found.vectors.data() + from * m, m, left->data() + j * m);
    for (int64_t i = 0; i < k; ++i) (*right)[j * k + i] = found.images[from * k + i] * scale;
  }
}

}  // namespace

Decomposition decompose(int64_t m, int64_t k, const double* b, device::Stream* stream) {
  if (stream && m > k) {
    const Decomposition turned = decompose(k, m, transposed(m, k, b).data(), stream);
    return {transposed(k, m, turned.vt.data()), turned.s, transposed(k, k, turned.u.data())};
  }
  const int64_t r = std::min(m, k);
  if (stream) {
    const auto a = stream->send(b, m * k);
    const auto u = stream->take<double>(m * m), s = stream->take<double>(m),
               vt = stream->take<double>(m * k);
    stream->svd(device::WideSvd<double>{m, k, a.at(), u.at(), s.at(), vt.at()});
    return {stream->fetch(u, m * m), stream->fetch(s, m), stream->fetch(vt, m * k)};
  }
  Decomposition out{std::vector<double>(m * r), std::vector<double>(r), std::vector<double>(r * k)};
  std::vector<double> copy(b, b + m * k);
  lapack::svd(m, k, copy.data(), out.u.data(), out.s.data(), out.vt.data());
  return out;
}

Decomposition decompose_by_gram(int64_t m, int64_t k, const double* b, device::Stream* stream) {
  Decomposition out;
  std::vector<double> left, right;
  if (m <= k) {
    by_gram(m, k, b, stream, &left, &out.s, &out.vt);
    out.u = transposed(m, m, left.data());
  } else {
    by_gram(k, m, transposed(m, k, b).data(), stream, &out.vt, &out.s, &right);
    out.u = transposed(k, m, right.data());
  }
  return out;
}

}  // namespace at::linear
