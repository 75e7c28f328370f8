#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <vector>

#include "core/blas.h"
#include "core/buffer.h"
#include "kernels/philox.h"

namespace at::kernels {

// A sparse Johnson-Lindenstrauss map of δhᵀ (m × k) to `size` numbers that multiplies only after it
// has added up. Column q is number q / U of the columns of sum q % U, and number (r, q) goes to
//   place(r, q) = bucket(r, q % U) · run + q / U, with the sign s(r, q % U) · t(q),
// so that for each of U sums the rows of δ fall into B = size / run buckets, and one product of the
// buckets (B × U) with h (U × run) gives all places: size · U multiplications in place of m · k.
// E⟨Sx, Sy⟩ = ⟨x, y⟩; for one δhᵀ the variance of ‖Sx‖² is at most (2/size + 2/(B·U'))‖x‖⁴, where
// U' = (Σ_u ‖h_u‖²)² / Σ_u ‖h_u‖⁴ is the number of sums among which h's squares are.
class SplitMap {
 public:
  SplitMap(int64_t m, int64_t k, int64_t size, int64_t run, const Philox& words, Philox signs,
           Pool& pool)
      : m_(m),
        k_(k),
        run_(run),
        sums_((k + run - 1) / run),
        buckets_(size / run),
        codes_(pool.take<int32_t>(m * sums_)),
        signs_(pool.take<int8_t>(k)) {
    const int64_t count = m * sums_;
    for (int64_t e = 0; e < count; e += 4) {
      const auto four = words(static_cast<uint64_t>(e / 4));
      for (int64_t j = e; j < e + 4 && j < count; ++j) {
        // The sign is the word's last bit; the bucket is told by the first ones.
        const uint32_t word = four[static_cast<size_t>(j - e)];
        codes_.get()[j % sums_ * m + j / sums_] =
            static_cast<int32_t>(2 * below(word, buckets_) + (word & 1));
      }
    }
    for (int64_t q = 0; q < k; ++q) {
      const auto four = signs(static_cast<uint64_t>(q / 128));
      const uint32_t bit = four[static_cast<size_t>(q % 128 / 32)] >> (q % 32) & 1;
      signs_.get()[q] = bit ? int8_t{-1} : int8_t{1};
    }
  }

  int64_t run() const { return run_; }
  // B·U: how many sums of a random half of δ's numbers there are.
  int64_t independent() const { return buckets_ * sums_; }

  // For each of n rows: to (size) += S(δhᵀ), δ (m) `step` apart, the sketches `to_step`.
  template <class Number>
  void add(const Number* delta, int64_t step, int64_t n, const Number* h, Number* to,
           int64_t to_step) const {
    // Rows side by side, in whole vectors.
    const int64_t U = sums_, B = buckets_, wide = (n + kVector - 1) / kVector * kVector;
    const int64_t places = B * wide;
    std::vector<Number> turned(static_cast<size_t>(m_ * wide), Number(0));
    for (int64_t c = 0; c < n; ++c)
      for (int64_t r = 0; r < m_; ++r)
        turned[static_cast<size_t>(r * wide + c)] = delta[c * step + r];
    std::vector<Number> added(static_cast<size_t>(U * places), Number(0));
    for (int64_t u = 0; u < U; ++u) {
      const int32_t* codes = codes_.get() + u * m_;
      Number* sums = added.data() + u * places;
      for (int64_t r = 0; r < m_; ++r) {
        const Number sign = codes[r] & 1 ? Number(-1) : Number(1);
        const Number* from = turned.data() + r * wide;
        Number* at = sums + (codes[r] >> 1) * wide;
        for (int64_t c = 0; c < wide; c += kVector)
          for (int64_t j = 0; j < kVector; ++j) at[c + j] += sign * from[c + j];
      }
    }
    std::vector<Number> signed_(static_cast<size_t>(run_ * U), Number(0));
    for (int64_t q = 0; q < k_; ++q)
      signed_[static_cast<size_t>(q)] = static_cast<Number>(signs_.get()[q]) * h[q];
    std::vector<Number> result(static_cast<size_t>(places * run_));
    blas::gemm(true, true, places, run_, U, Number(1), added.data(), places, signed_.data(), U,
               Number(0), result.data(), run_);
    for (int64_t b = 0; b < B; ++b) {
      for (int64_t c = 0; c < n; ++c) {
        const Number* from = result.data() + (b * wide + c) * run_;
        Number* at = to + c * to_step + b * run_;
        for (int64_t j = 0; j < run_; ++j) at[j] += from[j];
      }
    }
  }

 private:
  static constexpr int64_t kVector = 4;

  int64_t m_, k_, run_, sums_, buckets_;
  std::shared_ptr<int32_t> codes_;  // U × m: twice the bucket, and the sign
  std::shared_ptr<int8_t> signs_;
};

}  // namespace at::kernels
