#include "train/factors.h"

#include <algorithm>
#include <cstring>

#include "core/blas.h"
#include "core/error.h"
#include "core/shape.h"

namespace at {

namespace {

// out = x with the square matrix a, or its transpose, applied along one mode.
void along(const Around& at, const float* a, bool transposed, const float* x, float* out) {
  if (at.after == 1) {
    blas::parallel_gemm(false, !transposed, at.before, at.size, at.size, 1, x, at.size, a, at.size,
                        0, out, at.size);
    return;
  }
  const int64_t block = at.size * at.after;
  for (int64_t b = 0; b < at.before; ++b)
    blas::parallel_gemm(transposed, false, at.size, at.after, at.size, 1, a, at.size, x + b * block,
                        at.after, 0, out + b * block, at.after);
}

// slope (size, size) = Σ g[b,i,a]·x[b,j,a] + beta·slope.
void pair(const Around& at, const float* g, const float* x, float beta, float* slope) {
  if (at.after == 1) {
    blas::parallel_gemm(true, false, at.size, at.size, at.before, 1, g, at.size, x, at.size, beta,
                        slope, at.size);
    return;
  }
  const int64_t block = at.size * at.after;
  for (int64_t b = 0; b < at.before; ++b)
    blas::parallel_gemm(false, true, at.size, at.size, at.after, 1, g + b * block, at.after,
                        x + b * block, at.after, b > 0 ? 1 : beta, slope, at.size);
}

}  // namespace

std::vector<int64_t> array_sizes(const std::vector<int64_t>& sizes,
                                 const std::vector<FactorLayout>& layouts) {
  std::vector<int64_t> counts;
  for (size_t p = 0; p < layouts.size(); ++p) {
    const FactorLayout& layout = layouts[p];
    bool fits = layout.modes.empty() || element_count(layout.modes) == sizes[p];
    if (layout.follows >= 0) {
      const bool there = layout.follows < static_cast<int>(layouts.size()) && layout.mode >= 0;
      fits = there && layout.modes.empty();
      if (fits) {
        const auto& modes = layouts[static_cast<size_t>(layout.follows)].modes;
        const auto mode = static_cast<size_t>(layout.mode);
        fits = mode < modes.size() && modes[mode] == sizes[p];
      }
    }
    if (!fits) throw Error("BAD_ARGUMENT", "The modes of a parameter do not fit its size");
    counts.push_back(sizes[p]);
    for (int64_t size : layout.modes) counts.push_back(checked_mul(size, size));
  }
  return counts;
}

Factors::Factors(std::vector<int64_t> sizes, std::vector<FactorLayout> layouts,
                 std::vector<float*> arrays, Pool& pool)
    : arrays_(std::move(arrays)), counts_(array_sizes(sizes, layouts)), pool_(pool) {
  size_t theta = 0;
  for (size_t p = 0; p < layouts.size(); ++p) {
    Piece piece;
    piece.layout = std::move(layouts[p]);
    piece.size = sizes[p];
    piece.theta = theta;
    theta += 1 + piece.layout.modes.size();
    pieces_.push_back(std::move(piece));
  }
  slopes_.resize(counts_.size());
  touched_.assign(counts_.size(), false);
}

void Factors::forget() {
  for (Piece& piece : pieces_) piece.x = nullptr;
}

void Factors::renew(bool batch) {
  batch_ = batch;
  forget();
  for (Piece& piece : pieces_) piece.formed = false;
  std::fill(touched_.begin(), touched_.end(), false);
}

const float* Factors::dense(int parameter) {
  Piece& piece = pieces_[static_cast<size_t>(parameter)];
  const float* theta = arrays_[piece.theta];
  if (piece.layout.modes.empty() && piece.layout.follows < 0) return theta;
  if (piece.formed) return piece.change.get();
  if (piece.layout.follows >= 0) {
    const Piece& weight = pieces_[static_cast<size_t>(piece.layout.follows)];
    if (!piece.change) piece.change = pool_.floats(piece.size);
    blas::gemm(false, false, piece.size, 1, piece.size, 1.0f,
               matrix(weight, static_cast<size_t>(piece.layout.mode)), piece.size, theta, 1, 0.0f,
               piece.change.get(), 1);
  } else {
    piece.change = through(piece, theta, -1, false);
  }
  piece.formed = true;
  return piece.change.get();
}

bool Factors::unformed(const Piece& piece, int64_t rows) const {
  if (!batch_ || piece.layout.modes.size() != 2) return false;
  const int64_t r = piece.layout.modes[0], c = piece.layout.modes[1];
  return rows * (3 * r * r + 3 * c * c + 4 * r * c) < 4 * r * c * (r + c) + 2 * rows * r * c;
}

std::shared_ptr<float> Factors::times(const Piece& piece, int side, int64_t rows, const float* x) {
  const int64_t size = piece.layout.modes[static_cast<size_t>(side)];
  if (piece.x && piece.side == side && piece.rows == rows &&
      std::memcmp(piece.x, x, static_cast<size_t>(rows * size) * sizeof(float)) == 0)
    return piece.product;
  auto product = pool_.floats(checked_mul(rows, size));
  blas::parallel_gemm(false, false, rows, size, size, 1, x, size,
                      matrix(piece, static_cast<size_t>(side)), size, 0, product.get(), size);
  return product;
}

bool Factors::apply(int parameter, bool transposed, int64_t rows, const float* x, float alpha,
                    float beta, float* out) {
  Piece& piece = pieces_[static_cast<size_t>(parameter)];
  if (piece.formed || !unformed(piece, rows)) return false;
  const int from = transposed ? 1 : 0;
  const int64_t size = piece.layout.modes[static_cast<size_t>(from)];
  const int64_t width = piece.layout.modes[static_cast<size_t>(1 - from)];
  piece.product = times(piece, from, rows, x);
  piece.x = x;
  piece.rows = rows;
  piece.side = from;
  auto middle = pool_.floats(checked_mul(rows, width));
  blas::parallel_gemm(false, transposed, rows, width, size, 1, piece.product.get(), size,
                      arrays_[piece.theta], piece.layout.modes[1], 0, middle.get(), width);
  blas::parallel_gemm(false, true, rows, width, width, alpha, middle.get(), width,
                      matrix(piece, static_cast<size_t>(1 - from)), width, beta, out, width);
  return true;
}

float* Factors::slope_of(size_t array, float& beta) {
  auto& slope = slopes_[array];
  if (!slope) slope = pool_.floats(counts_[array]);
  beta = touched_[array] ? 1 : 0;
  touched_[array] = true;
  return slope.get();
}

// With G = LᵀR, L (R, r) and R (R, c): gΘ = (LA_1)ᵀ(RA_2), gA_1 = Lᵀ(RA_2·Θᵀ), gA_2 = Rᵀ(LA_1·Θ).
bool Factors::add(int parameter, const MatrixUse& use) {
  const Piece& piece = pieces_[static_cast<size_t>(parameter)];
  const int64_t rows = use.samples * use.dims.positions;
  if (use.dims.picks || use.dims.groups != 1 || use.count != 1 || !unformed(piece, rows))
    return false;
  const int64_t r = piece.layout.modes[0], c = piece.layout.modes[1];
  const bool turned = use.dims.transposed;
  const float* left = turned ? use.h.get() : use.delta.get();
  const float* right = turned ? use.delta.get() : use.h.get();
  const auto la = times(piece, 0, rows, left);
  const auto ra = times(piece, 1, rows, right);
  const float* theta = arrays_[piece.theta];
  float beta = 0;
  float* slope = slope_of(piece.theta, beta);
  blas::parallel_gemm(true, false, r, c, rows, 1, la.get(), r, ra.get(), c, beta, slope, c);
  auto inner = pool_.floats(rows * std::max(r, c));
  blas::parallel_gemm(false, true, rows, r, c, 1, ra.get(), c, theta, c, 0, inner.get(), r);
  slope = slope_of(piece.theta + 1, beta);
  blas::parallel_gemm(true, false, r, r, rows, 1, left, r, inner.get(), r, beta, slope, r);
  blas::parallel_gemm(false, false, rows, c, r, 1, la.get(), r, theta, c, 0, inner.get(), c);
  slope = slope_of(piece.theta + 2, beta);
  blas::parallel_gemm(true, false, c, c, rows, 1, right, c, inner.get(), c, beta, slope, c);
  return true;
}

void Factors::add(int parameter, const float* slope) {
  const Piece& piece = pieces_[static_cast<size_t>(parameter)];
  const float* theta = arrays_[piece.theta];
  float beta = 0;
  if (piece.layout.follows >= 0) {
    const Piece& weight = pieces_[static_cast<size_t>(piece.layout.follows)];
    const auto mode = static_cast<size_t>(piece.layout.mode);
    float* own = slope_of(piece.theta, beta);
    blas::gemm(true, false, piece.size, 1, piece.size, 1.0f, matrix(weight, mode), piece.size,
               slope, 1, beta, own, 1);
    float* to = slope_of(weight.theta + 1 + mode, beta);
    blas::gemm(false, true, piece.size, piece.size, 1, 1.0f, slope, 1, theta, 1, beta, to,
               piece.size);
    return;
  }
  float* own = slope_of(piece.theta, beta);
  const auto pulled = through(piece, slope, -1, true);
  const float* from = pulled ? pulled.get() : slope;
  if (beta == 0) {
    std::copy(from, from + piece.size, own);
  } else {
    for (int64_t e = 0; e < piece.size; ++e) own[e] += from[e];
  }
  for (size_t mode = 0; mode < piece.layout.modes.size(); ++mode) {
    const auto others = through(piece, theta, static_cast<int>(mode), false);
    float* to = slope_of(piece.theta + 1 + mode, beta);
    pair(Around(piece.layout.modes, mode), slope, others ? others.get() : theta, beta, to);
  }
}

const float* Factors::gradient(size_t array) {
  float beta = 0;
  float* slope = slope_of(array, beta);
  if (beta == 0) std::fill(slope, slope + counts_[array], 0.0f);
  return slope;
}

std::shared_ptr<float> Factors::through(const Piece& piece, const float* x, int except,
                                        bool transposed) {
  std::shared_ptr<float> value;
  for (size_t mode = 0; mode < piece.layout.modes.size(); ++mode) {
    if (static_cast<int>(mode) == except) continue;
    auto next = pool_.floats(piece.size);
    along(Around(piece.layout.modes, mode), matrix(piece, mode), transposed,
          value ? value.get() : x, next.get());
    value = std::move(next);
  }
  return value;
}

}  // namespace at
