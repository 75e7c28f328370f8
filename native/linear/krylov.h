#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

namespace at::linear {

// Orthonormal vectors of n numbers and, as they come, a symmetric matrix K in them: the block
// Lanczos method with full reorthogonalisation (Golub & Van Loan, Matrix Computations, 10.3). The
// block that waits for its product with K may be widened at any time, which is what finds
// eigenvectors that one block misses. K is scaled by a power of two, so that its squares stay in
// range. Results do not depend on the number of threads.
//
// With V the vectors that have met K, H = VᵀKV and Q the unit vectors that wait for it,
// KV = VH + QC + (I − VVᵀ)Q'C', Q' those that were set aside, which need not be orthogonal to later
// V.
class KrylovBasis {
 public:
  struct Ritz {
    // Eigenvalues of H, descending.
    std::vector<double> values;
    // ‖KVs − θVs‖ of each, what is seen of the products' own errors included; and what of it the
    // vectors that were set aside have no part in.
    std::vector<double> residuals, own;
    // The first component of every eigenvector of H.
    std::vector<double> first;
  };
  // What K may still hold where the vectors from before the last `add` do not reach.
  struct Unseen {
    // The largest Ritz value of K there, and its residual.
    double value = 0, residual = 0;
    // The natural logarithm of a bound for the probability that the random vectors of the last
    // `add` hide an eigenvalue above the given level from what has been computed since.
    double log_probability = 0;
  };

  explicit KrylovBasis(int64_t n) : n_(n) {}

  int64_t n() const { return n_; }
  // Vectors that have met K, those that wait, and those that were set aside.
  int64_t size() const { return static_cast<int64_t>(vectors_.size()); }
  int64_t width() const { return static_cast<int64_t>(waiting_.size()); }
  int64_t aside() const { return static_cast<int64_t>(aside_.size()); }
  // The waiting block, (n, width).
  std::vector<double> next() const;

  // What of these vectors (n, columns) lies outside of all others waits, instead of the block that
  // does so now, which is set aside, or in addition to it and all that was set aside.
  void add(const std::vector<double>& block, int64_t columns, bool append);
  // What was set aside waits, too.
  void recall();
  // Takes the waiting block with its products (n, width) into the basis. Throws BAD_INPUT when they
  // are not finite or K is not symmetric.
  void extend(const std::vector<double>& products);
  // What of the vectors (n, columns) lies outside of the basis.
  std::vector<double> outside(const std::vector<double>& block, int64_t columns) const;

  Ritz ritz();
  // The eigenvectors that belong to the first `count` values of the last ritz(), (count, n).
  std::vector<double> vectors(int64_t count) const;
  Unseen unseen(double level) const;
  // The first column of f(H) after ritz(), (size): f(K) q ≈ Σ_j c_j v_j for a basis grown from q.
  std::vector<double> first_column(const std::function<double(double)>& f) const;
  // Σ_j c_j v_j, (n).
  std::vector<double> combine(const std::vector<double>& c) const;

 private:
  using Vector = std::vector<double>;
  // A unit vector outside of the basis and its row of C.
  struct Outer {
    Vector q, c;
  };
  std::vector<Vector> columns_of(const std::vector<double>& block, int64_t columns) const;
  // Each v less its parts along the basis vectors from `first` on, which are added to `along`
  // (size, count) where it is not null.
  void project(std::vector<Vector>& v, size_t first, std::vector<double>* along) const;
  // v, which may be outside of the basis already, less its parts along that and along what waits,
  // which are added to `along`. Returns its length.
  double orthogonalise(Vector& v, bool outside, std::vector<double>* along) const;
  // What is left of the products waits.
  void wait_for(std::vector<Vector> rest);
  void set_scale(const std::vector<double>& products);
  // How far these parts of Kq along the basis' first vectors are from what C and C' say.
  void check(const std::vector<double>& along, int64_t before, const std::vector<Outer>& met);

  int64_t n_;
  std::vector<Vector> vectors_;
  std::vector<Outer> waiting_, aside_;
  // Row k holds H[k, 0 … k]: the lower triangle.
  std::vector<Vector> h_;
  // How many vectors met K last.
  int64_t last_ = 0;
  // Of the last `add`: the basis' size then, which vectors of the block came and how many, among
  // how many dimensions.
  int64_t since_ = 0, fresh_from_ = 0, fresh_ = 0, dimensions_ = 0;
  // K is multiplied by 2^-exponent_; the largest ‖Kq‖ and error of a product seen, so scaled.
  bool scaled_ = false;
  int exponent_ = 0;
  double norm_ = 0, noise_ = 0;
  // Eigenvectors of H as rows, of the last ritz().
  std::vector<double> coefficients_;
  std::vector<double> ritz_values_;
};

}  // namespace at::linear
