#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <vector>

#include "core/buffer.h"
#include "core/parallel.h"
#include "kernels/philox.h"

namespace at::kernels {

// What a word of a map is drawn for: the last word of the counter.
enum MapPurpose : uint32_t {
  kShifts = 0,  // and kShifts + 1 the signs
  kLeft = 2,
  kRight = 4,
  kMask = 6,
};

// A sparse Johnson-Lindenstrauss map from `length` numbers to `size`: every number goes to one
// place, with a random sign. Runs of `run` numbers one after another go to places one after
// another, from a random one on, so that numbers of a run never meet and adding them up is quick:
//   place(e) = (shift(e / run) + e % run) mod size.
// E⟨Sx, Sy⟩ = ⟨x, y⟩, with a variance of at most (‖x‖²‖y‖² + ⟨x,y⟩²) / size where places are
// random.
class SparseMap {
 public:
  SparseMap(int64_t length, int64_t size, int64_t run, Philox words, Pool& pool)
      : length_(length), size_(size), run_(run), words_(words), signs_(pool.take<int8_t>(length)) {
    const int64_t runs = (length + run - 1) / run;
    shifts_.resize(static_cast<size_t>(runs));
    for (int64_t r = 0; r < runs; r += 4) {
      const auto four = words(static_cast<uint64_t>(r / 4));
      for (int64_t j = r; j < r + 4 && j < runs; ++j)
        shifts_[static_cast<size_t>(j)] = below(four[static_cast<size_t>(j - r)], size);
    }
    words = sign_words();
    int8_t* signs = signs_.get();
    parallel_for((length + 127) / 128, 256, [&](int64_t begin, int64_t end) {
      for (int64_t block = begin; block < end; ++block) {
        const auto four = words(static_cast<uint64_t>(block));
        for (int64_t j = 0; j < 128 && block * 128 + j < length; ++j) {
          const uint32_t bit = four[static_cast<size_t>(j / 32)] >> (j % 32) & 1;
          signs[block * 128 + j] = bit ? int8_t{-1} : int8_t{1};
        }
      }
    });
  }

  int64_t size() const { return size_; }
  int64_t length() const { return length_; }
  int64_t run() const { return run_; }
  const std::vector<int64_t>& shifts() const { return shifts_; }
  // Bit e of them tells the sign of number e.
  Philox sign_words() const { return {words_.key, words_.stream, words_.purpose + 1}; }

  // For each of `rows` rows: to (size) += S x, for the numbers x[first, first + count) at `from`.
  // Rows are `from_step` and `to_step` apart.
  template <class Number>
  void add(const Number* from, int64_t from_step, int64_t rows, int64_t first, int64_t count,
           Number* to, int64_t to_step) const {
    each_piece(first, count, [&](int64_t e, int64_t place, int64_t n) {
      Number signs[kPiece];
      for (int64_t j = 0; j < n; ++j) signs[j] = static_cast<Number>(signs_.get()[e + j]);
      for (int64_t r = 0; r < rows; ++r) {
        const Number* x = from + r * from_step + (e - first);
        Number* at = to + r * to_step + place;
        for (int64_t j = 0; j < n; ++j) at[j] += signs[j] * x[j];
      }
    });
  }

  // The same where row r is scales[r · scale_step] times the numbers at `from`.
  template <class Number>
  void add_multiples(const Number* from, const Number* scales, int64_t scale_step, int64_t rows,
                     int64_t first, int64_t count, Number* to, int64_t to_step) const {
    each_piece(first, count, [&](int64_t e, int64_t place, int64_t n) {
      Number signed_[kPiece];
      const Number* x = from + (e - first);
      for (int64_t j = 0; j < n; ++j) signed_[j] = static_cast<Number>(signs_.get()[e + j]) * x[j];
      for (int64_t r = 0; r < rows; ++r) {
        const Number scale = scales[r * scale_step];
        Number* at = to + r * to_step + place;
        for (int64_t j = 0; j < n; ++j) at[j] += scale * signed_[j];
      }
    });
  }

  // One number.
  template <class Number>
  void add_one(int64_t e, Number value, Number* to) const {
    const int64_t place = (shifts_[static_cast<size_t>(e / run_)] + e % run_) % size_;
    to[place] += static_cast<Number>(signs_.get()[e]) * value;
  }

 private:
  static constexpr int64_t kPiece = 256;

  // body(e, place, n): numbers [e, e + n) go to [place, place + n).
  template <class Body>
  void each_piece(int64_t first, int64_t count, const Body& body) const {
    for (int64_t e = first, end = first + count; e < end;) {
      const int64_t r = e / run_;
      const int64_t place = (shifts_[static_cast<size_t>(r)] + e % run_) % size_;
      const int64_t n = std::min({std::min(end, (r + 1) * run_) - e, size_ - place, kPiece});
      body(e, place, n);
      e += n;
    }
  }

  int64_t length_, size_, run_;
  Philox words_;
  std::vector<int64_t> shifts_;
  std::shared_ptr<int8_t> signs_;
};

}  // namespace at::kernels
