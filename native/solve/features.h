#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "core/buffer.h"

namespace at::solve {

// The tangent features of one block for `rows` = samples · outputs rows, row (i, o) = i·outputs +
// o: row r is an m × k matrix X_r. Kept either as such or in factors (METHOD.md section 2):
//   X_(i,o) = Σ_t δ_(i,o),t ⊗ h_i,t
class Features {
 public:
  virtual ~Features() = default;

  int64_t samples() const { return samples_; }
  int64_t outputs() const { return outputs_; }
  int64_t rows() const { return samples_ * outputs_; }
  int64_t m() const { return m_; }
  int64_t k() const { return k_; }
  int64_t size() const { return m_ * k_; }
  virtual size_t bytes() const = 0;

  // y_r += ⟨X_r, b⟩ for b (m, k), y (rows).
  virtual void apply(const double* b, double* y) const = 0;
  // s (m, k) = Σ_r a_r X_r.
  virtual void adjoint(const double* a, double* s) const = 0;
  // Rows [p, p + count) of every X_r: out (rows, count, k).
  virtual void expand(int64_t p, int64_t count, double* out) const = 0;
  // X_r alone: out (m, k).
  virtual void row(int64_t r, double* out) const = 0;
  // Those of some samples, in the order given.
  virtual std::shared_ptr<const Features> select(const std::vector<int64_t>& samples) const = 0;

 protected:
  Features(int64_t samples, int64_t outputs, int64_t m, int64_t k)
      : samples_(samples), outputs_(outputs), m_(m), k_(k) {}

 private:
  int64_t samples_, outputs_, m_, k_;
};

// x (rows, m, k), in the precision that it came in; sums are in double.
template <class T>
class DenseFeatures : public Features {
 public:
  // Copies x.
  DenseFeatures(int64_t samples, int64_t outputs, int64_t m, int64_t k, const T* x);
  // x (rows, m, k), or (rows, k, m) when transposed. With a bias (rows, m) that is one more column.
  DenseFeatures(int64_t samples, int64_t outputs, int64_t m, int64_t k, const T* x, bool transposed,
                const T* bias);
  size_t bytes() const override { return data_.bytes(); }
  void apply(const double* b, double* y) const override;
  void adjoint(const double* a, double* s) const override;
  void expand(int64_t p, int64_t count, double* out) const override;
  void row(int64_t r, double* out) const override;
  std::shared_ptr<const Features> select(const std::vector<int64_t>& samples) const override;

 protected:
  DenseFeatures(int64_t samples, int64_t outputs, int64_t m, int64_t k);  // uninitialised
  T* data() { return static_cast<T*>(data_.data()); }
  const T* data() const { return static_cast<const T*>(data_.data()); }

 private:
  Memory data_;
};

// The factors themselves, in double: δ (rows, T, m) and h (samples, T, k). Where every h_t holds a
// single 1 (rows of an embedding) only its column is kept.
class FactoredFeatures : public Features {
 public:
  // With `ones`, h (samples, T, k) gets one more column of ones: that of a bias.
  template <class T>
  FactoredFeatures(int64_t samples, int64_t outputs, int64_t positions, int64_t m, int64_t k,
                   const T* delta, const T* h, bool ones = false);
  // columns (samples, T), from 0 to k − 1.
  template <class T>
  FactoredFeatures(int64_t samples, int64_t outputs, int64_t positions, int64_t m, int64_t k,
                   const T* delta, const int32_t* columns);
  int64_t positions() const { return positions_; }
  const double* delta() const { return static_cast<const double*>(delta_.data()); }
  // Empty where h is kept.
  const std::vector<int32_t>& columns() const { return columns_; }
  const double* h() const { return static_cast<const double*>(h_.data()); }
  // out (samples·T, rank) = h·vectorsᵀ for vectors (rank, k).
  void project(const double* vectors, int64_t rank, double* out) const;
  size_t bytes() const override {
    return delta_.bytes() + h_.bytes() + columns_.size() * sizeof(int32_t);
  }
  void apply(const double* b, double* y) const override;
  void adjoint(const double* a, double* s) const override;
  void expand(int64_t p, int64_t count, double* out) const override;
  void row(int64_t r, double* out) const override;
  std::shared_ptr<const Features> select(const std::vector<int64_t>& samples) const override;

 private:
  void multiply(int64_t r, int64_t p, int64_t count, double* out) const;

  int64_t positions_;
  Memory delta_;
  Memory h_;
  std::vector<int32_t> columns_;
};

// Does it pay to multiply factors of T positions out once and for all? (FLOPs of one entry of the
// kernel: T²(m + k) against m·k.)
bool better_dense(int64_t positions, int64_t m, int64_t k);

// The better of the two representations of the same factors.
template <class T>
std::unique_ptr<Features> from_factors(int64_t samples, int64_t outputs, int64_t positions,
                                       int64_t m, int64_t k, const T* delta, const T* h,
                                       bool ones = false);
template <class T>
std::unique_ptr<Features> from_picks(int64_t samples, int64_t outputs, int64_t positions, int64_t m,
                                     int64_t k, const T* delta, const int32_t* columns);

// The features of a model: blocks over the same rows.
using FeatureSet = std::vector<std::shared_ptr<const Features>>;

}  // namespace at::solve
