#include "linear/anderson.h"

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "core/lapack.h"
#include "core/parallel.h"
#include "core/wider.h"
#include "linear/cholesky.h"

namespace at::linear {

namespace {
// Relative to the differences' own lengths: what is left of them when they are nearly dependent.
constexpr double kRegularisation = 1e-14;
constexpr int64_t kHeader = 3;
// Numbers that are worked on at once: they stay in the first-level cache.
constexpr int64_t kStrip = 2048;
}  // namespace

Anderson::Anderson(int64_t size, int64_t residual, int depth)
    : size_(size),
      residual_(residual),
      depth_(depth),
      df_(depth * residual),
      dg_(depth * size),
      f_(residual),
      g_(size),
      products_(depth * depth) {}

void Anderson::forget() {
  count_ = next_ = 0;
  started_ = false;
}

// Takes x and g(x) into the history and returns ⟨f, Δf_j⟩ (depth). One pass over the vectors: from
// each strip, while it is in the cache, its part of all inner products, summed in order.
std::vector<double> Anderson::take(const double* x, const double* g) {
  const int64_t strips = (size_ + kStrip - 1) / kStrip, width = int64_t{2} * depth_;
  const int64_t newest = next_;
  if (started_) {
    count_ = std::min(count_ + 1, depth_);
    next_ = (next_ + 1) % depth_;
  }
  std::vector<double> parts(strips * width, 0.0);
  parallel_for(strips, 1, [&](int64_t from, int64_t to) {
    for (int64_t strip = from; strip < to; ++strip) {
      const int64_t first = strip * kStrip, last = std::min(size_, first + kStrip);
      const int64_t end = std::clamp(residual_, first, last);
      double* df = df_.data() + newest * residual_;
      double* dg = dg_.data() + newest * size_;
      wider([&] {
        for (int64_t i = first; i < end; ++i) {
          const double f = g[i] - x[i];
          if (started_) df[i] = f - f_[i];
          f_[i] = f;
        }
        for (int64_t i = first; i < last; ++i) {
          if (started_) dg[i] = g[i] - g_[i];
          g_[i] = g[i];
        }
      });
      double* part = parts.data() + strip * width;
      for (int j = 0; j < count_; ++j) {
        const double* other = df_.data() + j * residual_ + first;
        part[j] = lapack::dot(end - first, df + first, other);
        part[depth_ + j] = lapack::dot(end - first, f_.data() + first, other);
      }
    }
  });
  std::vector<double> sums(width, 0.0);
  for (int64_t strip = 0; strip < strips; ++strip)
    for (int64_t j = 0; j < width; ++j) sums[j] += parts[strip * width + j];
  if (started_)
    for (int j = 0; j < count_; ++j)
      products_[newest * depth_ + j] = products_[j * depth_ + newest] = sums[j];
  started_ = true;
  return {sums.begin() + depth_, sums.end()};
}

bool Anderson::extrapolate(const double* x, const double* g, double* out) {
  if (depth_ == 0) return false;
  std::vector<double> gamma = take(x, g);
  if (count_ == 0) return false;

  // min ‖f − Σ γ_j Δf_j‖ by its normal equations, each difference scaled to unit length.
  std::vector<double> scale(count_), system(count_ * count_);
  for (int i = 0; i < count_; ++i) {
    const double length = std::sqrt(products_[i * depth_ + i]);
    if (!(length > 0)) return false;
    scale[i] = 1 / length;
  }
  for (int i = 0; i < count_; ++i) {
    for (int j = 0; j < count_; ++j)
      system[i * count_ + j] = products_[i * depth_ + j] * scale[i] * scale[j];
    system[i * count_ + i] += kRegularisation;
  }
  for (int i = 0; i < count_; ++i) gamma[i] *= scale[i];
  // Nearly dependent differences can still defeat the factorisation: then more of the same.
  std::vector<double> factor;
  double shift = kRegularisation;
  do {
    factor = system;
    for (int i = 0; i < count_; ++i) factor[i * count_ + i] += shift;
    shift *= 10;
  } while (lapack::cholesky(count_, factor.data(), count_) != 0 && shift < 1);
  cholesky_solve(count_, 1, factor.data(), gamma.data());
  parallel_for((size_ + kStrip - 1) / kStrip, 1, [&](int64_t from, int64_t to) {
    for (int64_t strip = from; strip < to; ++strip) {
      const int64_t first = strip * kStrip, last = std::min(size_, first + kStrip);
      std::copy(g + first, g + last, out + first);
      for (int j = 0; j < count_; ++j) {
        const double weight = gamma[j] * scale[j];
        const double* dg = dg_.data() + j * size_;
        wider([&] {
          for (int64_t i = first; i < last; ++i) out[i] -= weight * dg[i];
        });
      }
    }
  });
  return true;
}

std::vector<double> Anderson::save() const {
  std::vector<double> state = {double(count_), double(next_), double(started_)};
  for (const auto* part : {&df_, &dg_, &f_, &g_, &products_})
    state.insert(state.end(), part->begin(), part->end());
  return state;
}

void Anderson::restore(const std::vector<double>& state) {
  size_t expected = kHeader;
  for (const auto* part : {&df_, &dg_, &f_, &g_, &products_}) expected += part->size();
  if (state.size() != expected || !(state[0] >= 0 && state[0] <= depth_) ||
      !(state[1] >= 0 && state[1] < std::max(depth_, 1))) {
    throw Error("BAD_FILE",
                "The checkpoint belongs to a fit of other features or another depth "
                "of acceleration");
  }
  count_ = static_cast<int>(state[0]);
  next_ = static_cast<int>(state[1]);
  started_ = state[2] != 0;
  auto from = state.begin() + kHeader;
  for (auto* part : {&df_, &dg_, &f_, &g_, &products_}) {
    std::copy(from, from + part->size(), part->begin());
    from += part->size();
  }
}

}  // namespace at::linear
