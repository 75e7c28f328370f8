#pragma once

#include <memory>
#include <vector>

#include "core/buffer.h"
#include "forward/pass.h"
#include "reverse/sink.h"

namespace at {

// A parameter as its factors see it.
struct FactorLayout {
  std::vector<int64_t> modes;  // sizes; empty: not transformed
  // For a bias: the parameter whose matrix of mode `mode` transforms it; -1: none.
  int follows = -1;
  int mode = 0;
};

// Sizes of the modes before and after one.
struct Around {
  int64_t before = 1, size = 1, after = 1;
  Around(const std::vector<int64_t>& modes, size_t mode) : size(modes[mode]) {
    for (size_t m = 0; m < mode; ++m) before *= modes[m];
    for (size_t m = mode + 1; m < modes.size(); ++m) after *= modes[m];
  }
};

// Elements of every array that is trained: per parameter Θ, then its matrices. Throws
// Error("BAD_ARGUMENT") when a layout does not fit.
std::vector<int64_t> array_sizes(const std::vector<int64_t>& sizes,
                                 const std::vector<FactorLayout>& layouts);

// The change of the weights as products of factors, as the paper's code trains it: along each mode
// of a weight a square matrix, Δ = Θ ×_1 A_1 ×_2 A_2 (×_3 A_3). A bias is transformed by its
// weight's output mode, Δ_b = A_out·b. With a weight stored (out, in), A_out = M_2ᵀ and A_in = M_1
// of METHOD.md section 3. A convolution's modes are out, in and kernel position.
//
// For a dense layer and a small batch Δ is never formed: with R rows of the batch, x·Δᵀ =
// ((x·A_in)Θᵀ)·A_outᵀ and the gradients from δ and h cost R·(3m² + 3k² + 4mk) multiplications where
// Δ and its gradient cost 4mk(m + k) + 2R·mk.
class Factors final : public Directions {
 public:
  // `arrays`: per parameter Θ, then its matrices; sizes[p] elements of parameter p.
  Factors(std::vector<int64_t> sizes, std::vector<FactorLayout> layouts, std::vector<float*> arrays,
          Pool& pool);

  // What was computed of inputs that are gone must not be compared with others.
  void forget();
  // The arrays have changed. `batch`: a step on one batch follows, for which Δ may stay unformed.
  void renew(bool batch);

  bool zero(int) const override { return false; }
  const float* dense(int parameter) override;
  bool apply(int parameter, bool transposed, int64_t rows, const float* x, float alpha, float beta,
             float* out) override;

  // Gradients of the arrays, collected since the last renew(); zero where nothing came.
  // From one use of a weight in factors (one cotangent); false: better formed.
  bool add(int parameter, const MatrixUse& use);
  // From the gradient of Δ.
  void add(int parameter, const float* slope);
  const float* gradient(size_t array);

  // Elements of every array.
  const std::vector<int64_t>& counts() const { return counts_; }

 private:
  struct Piece {
    FactorLayout layout;
    int64_t size = 0;
    size_t theta = 0;  // index among the arrays; its matrices come after
    std::shared_ptr<float> change;
    bool formed = false;
    // x and x·A of the last apply().
    const float* x = nullptr;
    int64_t rows = 0;
    int side = 0;
    std::shared_ptr<float> product;
  };
  bool unformed(const Piece& piece, int64_t rows) const;
  // x·A_side (rows, size of the side).
  std::shared_ptr<float> times(const Piece& piece, int side, int64_t rows, const float* x);
  // Where to add to an array's gradient; beta: 0 the first time.
  float* slope_of(size_t array, float& beta);
  // x (…modes) with the matrices of all modes but `except` applied, or their transposes.
  std::shared_ptr<float> through(const Piece& piece, const float* x, int except, bool transposed);
  const float* matrix(const Piece& piece, size_t mode) const {
    return arrays_[piece.theta + 1 + mode];
  }

  std::vector<Piece> pieces_;
  std::vector<float*> arrays_;
  std::vector<int64_t> counts_;
  std::vector<std::shared_ptr<float>> slopes_;
  std::vector<bool> touched_;
  Pool& pool_;
  bool batch_ = false;
};

}  // namespace at
