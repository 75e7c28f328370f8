#pragma once

#include <cstdint>
#include <vector>

#include "core/control.h"

namespace at::linear {

// A rows × columns matrix of either precision where it lies.
struct MatrixView {
  int64_t rows = 0, columns = 0;
  const float* narrow = nullptr;
  const double* wide = nullptr;
};

// Means of a matrix, by which it is centred: entry (i, j) − rows[i] − columns[j] + whole.
struct Means {
  std::vector<double> rows, columns;
  double whole = 0;
};
Means means_of(const MatrixView& matrix, bool symmetric);

// Row i in double, centred where means are given.
void read_row(const MatrixView& matrix, int64_t i, const Means* means, double* out);

// Rows whose sums are one partial result: fixed, so that the order of summation is.
constexpr int64_t kSumRows = 32;

// Vectors of named sums, one per piece of rows, added up in order.
class PartialSums {
 public:
  PartialSums(int64_t pieces, size_t width)
      : width_(width), parts_(static_cast<size_t>(pieces) * width, 0.0) {}
  double* piece(int64_t p) { return parts_.data() + static_cast<size_t>(p) * width_; }
  std::vector<double> total() const;

 private:
  size_t width_;
  std::vector<double> parts_;
};

// Frobenius inner products of A and B, which have the same sizes.
struct Moments {
  double ab = 0, aa = 0, bb = 0;
};
Moments moments(const MatrixView& a, const MatrixView& b, bool centred, const Control& control);

// ⟨A, B⟩ / (‖A‖ ‖B‖), NaN where one of them is zero.
double cosine(double ab, double aa, double bb);
// The same of centred matrices, the CKA (Kornblith et al. 2019), given the squared norms before
// centring too: what centring leaves of a constant matrix is rounding, not a direction.
double centred_cosine(const Moments& centred, double whole_aa, double whole_bb);

}  // namespace at::linear
