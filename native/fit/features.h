#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "core/buffer.h"
#include "kernels/side.h"

namespace at::fit {

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
  // x itself, which is not copied.
  DenseFeatures(int64_t samples, int64_t outputs, int64_t m, int64_t k, std::shared_ptr<Memory> x)
      : Features(samples, outputs, m, k), data_(std::move(x)) {}
  // A copy of x (rows, m, k), or (rows, k, m) when transposed. With a bias (rows, m) that is one
  // more column.
  DenseFeatures(int64_t samples, int64_t outputs, int64_t m, int64_t k, const T* x, bool transposed,
                const T* bias);
  size_t bytes() const override { return data_->bytes(); }
  void apply(const double* b, double* y) const override;
  void adjoint(const double* a, double* s) const override;
  void expand(int64_t p, int64_t count, double* out) const override;
  void row(int64_t r, double* out) const override;
  std::shared_ptr<const Features> select(const std::vector<int64_t>& samples) const override;
  // x (rows, m, k)
  const T* numbers() const { return data_->numbers<T>(); }

 protected:
  DenseFeatures(int64_t samples, int64_t outputs, int64_t m, int64_t k);  // uninitialised
  T* data() { return data_->numbers<T>(); }

 private:
  std::shared_ptr<Memory> data_;
};

// The sizes of factors: delta (rows, T, m), and h (samples, T, k) or, where every h_t holds a
// single 1 (rows of an embedding), its columns (samples, T), from 0 to k − 1.
struct FactorSizes {
  int64_t samples = 0, outputs = 0, positions = 1, m = 0, k = 0;
  bool ones = false;    // h gets one more column, of ones: that of a bias
  int64_t sharing = 1;  // so many samples after one another have the same h: it is there once
  int64_t width() const { return ones ? k + 1 : k; }
};

// The factors themselves, in double: δ (samples, T, outputs, m) and h (samples, T, k).
class FactoredFeatures : public Features {
 public:
  template <class T>
  FactoredFeatures(const FactorSizes& sizes, const T* delta, const T* h);
  template <class T>
  FactoredFeatures(const FactorSizes& sizes, const T* delta, const int32_t* columns);
  int64_t positions() const { return positions_; }
  const double* delta() const { return delta_.numbers<double>(); }
  bool picks() const { return !picked_.columns.empty(); }
  // Entry i·T + t is position t of sample i; empty where h is kept.
  const kernels::Picked& picked() const { return picked_; }
  const double* h() const { return h_.numbers<double>(); }
  // out (samples·T, rank) = h·vectorsᵀ for vectors (rank, k).
  void project(const double* vectors, int64_t rank, double* out) const;
  size_t bytes() const override {
    return delta_.bytes() + h_.bytes() + picked_.columns.size() * sizeof(int64_t);
  }
  void apply(const double* b, double* y) const override;
  void adjoint(const double* a, double* s) const override;
  void expand(int64_t p, int64_t count, double* out) const override;
  void row(int64_t r, double* out) const override;
  std::shared_ptr<const Features> select(const std::vector<int64_t>& samples) const override;

 private:
  // Uninitialised.
  FactoredFeatures(int64_t samples, int64_t outputs, int64_t positions, int64_t m, int64_t k,
                   bool picks);
  void multiply(int64_t r, int64_t p, int64_t count, double* out) const;

  int64_t positions_;
  Memory delta_;
  Memory h_;
  kernels::Picked picked_;
};

// Does it pay to multiply factors of T positions out once and for all? (FLOPs of one entry of the
// kernel: T²(m + k) against m·k.)
bool better_dense(int64_t positions, int64_t m, int64_t k);

// The better of the two representations of the same factors.
template <class T>
std::unique_ptr<Features> from_factors(const FactorSizes& sizes, const T* delta, const T* h);
template <class T>
std::unique_ptr<Features> from_picks(const FactorSizes& sizes, const T* delta,
                                     const int32_t* columns);

// The features of a model: blocks over the same rows.
using FeatureSet = std::vector<std::shared_ptr<const Features>>;

}  // namespace at::fit
