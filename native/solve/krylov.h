#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace at::solve {

// Orthonormal vectors of n numbers and, as they come, a symmetric matrix K in them: the Lanczos
// method with full reorthogonalisation (Golub & Van Loan, Matrix Computations, 10.3). Results do
// not depend on the number of threads.
class KrylovBasis {
 public:
  struct Step {
    // qᵀKq.
    double along = 0;
    // ‖Kq‖.
    double size = 0;
    // Kq less all that the basis holds of it, and its length.
    std::vector<double> rest;
    double length = 0;
  };

  explicit KrylovBasis(int64_t n) : n_(n) {}

  int64_t n() const { return n_; }
  int64_t size() const { return static_cast<int64_t>(vectors_.size()); }

  // Takes the unit vector q, orthogonal to all before, into the basis. Throws BAD_INPUT when its
  // image Kq is not finite.
  Step extend(std::vector<double> q, std::vector<double> image);
  // v less all that the basis holds of it, in place; returns its length.
  double orthogonalise(std::vector<double>& v) const;
  // Σ_k c[j,k]·q_k for each row j of coefficients (count, size), as (count, n).
  std::vector<double> combine(const std::vector<double>& coefficients, int64_t count) const;

 private:
  // v less its parts along the vectors from `first` on.
  void project(std::vector<double>& v, size_t first) const;

  int64_t n_;
  std::vector<std::vector<double>> vectors_;
};

}  // namespace at::solve
