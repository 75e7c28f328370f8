#include "linear/alignment.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/lapack.h"
#include "core/parallel.h"

namespace at::linear {

namespace {

constexpr double kUndefined = std::numeric_limits<double>::quiet_NaN();
// Squared norms below this share of those before centring are rounding.
constexpr double kNoise = 1e-20;

template <class T>
Means means(const MatrixView& matrix, const T* data, bool symmetric) {
  const int64_t rows = matrix.rows, columns = matrix.columns;
  Means out;
  out.rows.resize(static_cast<size_t>(rows));
  const int64_t pieces = (rows + kSumRows - 1) / kSumRows;
  PartialSums sums(pieces, symmetric ? 0 : static_cast<size_t>(columns));
  parallel_for(pieces, 1, [&](int64_t first, int64_t last) {
    for (int64_t p = first; p < last; ++p)
      for (int64_t i = p * kSumRows; i < std::min(rows, (p + 1) * kSumRows); ++i) {
        const T* row = data + i * columns;
        double sum = 0;
        for (int64_t j = 0; j < columns; ++j) sum += row[j];
        out.rows[i] = sum / static_cast<double>(columns);
        if (symmetric) continue;
        double* along = sums.piece(p);
        for (int64_t j = 0; j < columns; ++j) along[j] += row[j];
      }
  });
  for (double mean : out.rows) out.whole += mean / static_cast<double>(rows);
  out.columns = symmetric ? out.rows : sums.total();
  if (!symmetric)
    for (double& mean : out.columns) mean /= static_cast<double>(rows);
  return out;
}

template <class T>
void read(const T* row, int64_t columns, int64_t i, const Means* means, double* out) {
  if (!means) {
    for (int64_t j = 0; j < columns; ++j) out[j] = row[j];
    return;
  }
  const double shift = means->rows[i] - means->whole;
  for (int64_t j = 0; j < columns; ++j) out[j] = row[j] - shift - means->columns[j];
}

}  // namespace

std::vector<double> PartialSums::total() const {
  std::vector<double> sum(width_, 0.0);
  for (size_t e = 0; e < parts_.size(); ++e) sum[e % width_] += parts_[e];
  return sum;
}

Means means_of(const MatrixView& matrix, bool symmetric) {
  return matrix.wide ? means(matrix, matrix.wide, symmetric)
                     : means(matrix, matrix.narrow, symmetric);
}

void read_row(const MatrixView& matrix, int64_t i, const Means* means, double* out) {
  const int64_t columns = matrix.columns;
  if (matrix.wide)
    read(matrix.wide + i * columns, columns, i, means, out);
  else
    read(matrix.narrow + i * columns, columns, i, means, out);
}

Moments moments(const MatrixView& a, const MatrixView& b, bool centred, const Control& control) {
  const bool same = a.narrow == b.narrow && a.wide == b.wide;
  Means of_a, of_b;
  if (centred) {
    of_a = means_of(a, false);
    if (!same) of_b = means_of(b, false);
  }
  const int64_t rows = a.rows, columns = a.columns, pieces = (rows + kSumRows - 1) / kSumRows;
  PartialSums sums(pieces, 3);
  parallel_for(pieces, 1, [&](int64_t first, int64_t last) {
    std::vector<double> x(static_cast<size_t>(columns)), y(same ? 0 : x.size());
    for (int64_t p = first; p < last; ++p) {
      control.poll();
      double* sum = sums.piece(p);
      for (int64_t i = p * kSumRows; i < std::min(rows, (p + 1) * kSumRows); ++i) {
        read_row(a, i, centred ? &of_a : nullptr, x.data());
        sum[1] += lapack::dot(columns, x.data(), x.data());
        if (same) continue;
        read_row(b, i, centred ? &of_b : nullptr, y.data());
        sum[0] += lapack::dot(columns, x.data(), y.data());
        sum[2] += lapack::dot(columns, y.data(), y.data());
      }
    }
  });
  const std::vector<double> s = sums.total();
  return same ? Moments{s[1], s[1], s[1]} : Moments{s[0], s[1], s[2]};
}

double cosine(double ab, double aa, double bb) {
  return aa > 0 && bb > 0 ? ab / std::sqrt(aa) / std::sqrt(bb) : kUndefined;
}

double centred_cosine(const Moments& centred, double whole_aa, double whole_bb) {
  if (centred.aa <= kNoise * whole_aa || centred.bb <= kNoise * whole_bb) return kUndefined;
  return cosine(centred.ab, centred.aa, centred.bb);
}

}  // namespace at::linear
