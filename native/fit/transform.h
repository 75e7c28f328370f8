#pragma once

#include <cstdint>
#include <vector>

namespace at::fit {

// A symmetric matrix that stretches a few directions: I + Σ_j (z_j − 1) u_j u_jᵀ.
struct Stretch {
  int64_t dim = 0;
  std::vector<double> vectors;  // (rank, dim), orthonormal rows u_j
  std::vector<double> z;        // (rank)
  int64_t rank() const { return static_cast<int64_t>(z.size()); }

  // x (outer, dim, inner) ← its power along the middle axis: (I + Σ (z_j^power − 1) u_j u_jᵀ) x.
  void apply(int power, int64_t outer, int64_t inner, double* x) const;
  // Vectors scaled by √(z² − 1), (rank, dim): their outer products are what the square adds to I.
  std::vector<double> update_vectors() const;
  // The matrix itself to a power, (dim, dim).
  std::vector<double> dense(int power) const;
};

// What one block's features are transformed by, as a map on arrays of the block's shape.
// `modes`: one Stretch per mode of an array of shape `dims` (two for left and right; one of
// dimension m·k for the flattened block; rank 0 where a mode is left alone).
// `numbers`: instead, a factor z for every number.
struct Transform {
  std::vector<int64_t> dims;
  std::vector<Stretch> modes;
  std::vector<double> numbers;

  static Transform identity(std::vector<int64_t> dims);
  int64_t size() const;
  bool is_identity() const;
  // x ← M^power x, in place; power 2 maps X to A X G, power −2 undoes it.
  void apply(int power, double* x) const;
  // ‖M⁻¹ x‖²
  double squared_norm_undone(const double* x) const;
};

}  // namespace at::fit
