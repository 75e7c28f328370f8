#pragma once

#include <algorithm>

#include "rules/support/correlation.h"
#include "rules/support/tiles.h"

namespace at {
inline namespace AT_PRECISION {

// Correlations along one axis as products of spectra, of sequences of 32 real numbers, several side
// by side in lanes: with three real products for each frequency (Gauss) it takes 47 in all, for
// 33 − taps outputs (7 taps take 1.8 for each instead of 7). Rounding errors are those of the plain
// sum or less, relative to the largest of the 32.
namespace fourier {

constexpr int kSequence = 32;
constexpr int kHalf = kSequence / 2;
constexpr int kPlanes = 3 * (kHalf - 1) + 2;

// cos(2πk/32), sin(2πk/32) for k ≤ 8.
constexpr double kCosines[] = {1,
                               0.98078528040323044913,
                               0.92387953251128675613,
                               0.83146961230254523708,
                               0.70710678118654752440,
                               0.55557023301960222474,
                               0.38268343236508977173,
                               0.19509032201612826785,
                               0};
constexpr Real cosine(int k) { return static_cast<Real>(kCosines[k]); }
constexpr Real sine(int k) { return static_cast<Real>(kCosines[8 - k]); }

// Frequencies 0 to n/2 of real numbers; those of 0 and n/2 have no imaginary part.
template <int n>
struct Spectrum {
  Lanes re[n / 2 + 1], im[n / 2 + 1];
};

// Of x[0], x[step], …, n numbers.
template <int n, int step>
AT_PORTABLE void transform(const Lanes* x, Spectrum<n>& to) {
  if constexpr (n == 2) {
    to.re[0] = x[0] + x[step];
    to.re[1] = x[0] - x[step];
  } else {
    Spectrum<n / 2> even, odd;
    transform<n / 2, 2 * step>(x, even);
    transform<n / 2, 2 * step>(x + step, odd);
    to.re[0] = even.re[0] + odd.re[0];
    to.re[n / 2] = even.re[0] - odd.re[0];
#pragma GCC unroll 8
    for (int k = 1; k < n / 4; ++k) {
      const Real c = cosine(k * (32 / n)), s = sine(k * (32 / n));
      const Lanes re = odd.re[k] * c + odd.im[k] * s, im = odd.im[k] * c - odd.re[k] * s;
      to.re[k] = even.re[k] + re;
      to.im[k] = even.im[k] + im;
      to.re[n / 2 - k] = even.re[k] - re;
      to.im[n / 2 - k] = im - even.im[k];
    }
    to.re[n / 4] = even.re[n / 4];
    to.im[n / 4] = -odd.re[n / 4];
  }
}

// n times the numbers that have the spectrum: to[0], to[step], …
template <int n, int step>
AT_PORTABLE void restore(const Spectrum<n>& from, Lanes* to) {
  if constexpr (n == 2) {
    to[0] = from.re[0] + from.re[1];
    to[step] = from.re[0] - from.re[1];
  } else {
    Spectrum<n / 2> even, odd;
    even.re[0] = from.re[0] + from.re[n / 2];
    odd.re[0] = from.re[0] - from.re[n / 2];
#pragma GCC unroll 8
    for (int k = 1; k < n / 4; ++k) {
      const Real c = cosine(k * (32 / n)), s = sine(k * (32 / n));
      even.re[k] = from.re[k] + from.re[n / 2 - k];
      even.im[k] = from.im[k] - from.im[n / 2 - k];
      const Lanes re = from.re[k] - from.re[n / 2 - k], im = from.im[k] + from.im[n / 2 - k];
      odd.re[k] = re * c - im * s;
      odd.im[k] = im * c + re * s;
    }
    even.re[n / 4] = from.re[n / 4] + from.re[n / 4];
    odd.re[n / 4] = -(from.im[n / 4] + from.im[n / 4]);
    restore<n / 2, 2 * step>(even, to);
    restore<n / 2, 2 * step>(odd, to + step);
  }
}

// Planes of a sequence: of the numbers that a window slides over, and of the window itself, whose
// spectrum is taken conjugate and divided by the sequence's length.
AT_PORTABLE void data_planes(const Lanes* x, Real* to, int64_t stride) {
  Spectrum<kSequence> s;
  transform<kSequence, 1>(x, s);
  store(s.re[0], to);
  store(s.re[kHalf], to + stride);
#pragma GCC unroll 16
  for (int k = 1; k < kHalf; ++k) {
    Real* own = to + (3 * k - 1) * stride;
    store(s.re[k], own);
    store(s.im[k] - s.re[k], own + stride);
    store(s.re[k] + s.im[k], own + 2 * stride);
  }
}
AT_PORTABLE void window_planes(const Lanes* x, Real* to, int64_t stride) {
  constexpr Real scale = Real(1) / kSequence;
  Spectrum<kSequence> s;
  transform<kSequence, 1>(x, s);
  store(s.re[0] * scale, to);
  store(s.re[kHalf] * scale, to + stride);
#pragma GCC unroll 16
  for (int k = 1; k < kHalf; ++k) {
    Real* own = to + (3 * k - 1) * stride;
    store((s.re[k] - s.im[k]) * scale, own);
    store(s.re[k] * scale, own + stride);
    store(s.im[k] * -scale, own + 2 * stride);
  }
}
// The correlation, of the products of both: to (kSequence), of which those count where the window
// lay inside.
AT_PORTABLE void correlation(const Real* made, int64_t stride, Lanes* to) {
  Spectrum<kSequence> s;
  s.re[0] = load(made);
  s.re[kHalf] = load(made + stride);
#pragma GCC unroll 16
  for (int k = 1; k < kHalf; ++k) {
    const Real* own = made + (3 * k - 1) * stride;
    const Lanes first = load(own);
    s.re[k] = first - load(own + 2 * stride);
    s.im[k] = first + load(own + stride);
  }
  restore<kSequence, 1>(s, to);
}

}  // namespace fourier

// Correlations along one axis as products of tiles (support/quick.cc).
class FourierTiles {
 public:
  static constexpr int kPlanes = fourier::kPlanes;
  static constexpr int kNumbers = fourier::kSequence;  // of a tile, and of a kernel at most
  static constexpr bool kStrided = false;

  static bool fits(const Correlation& g) {
    const Windows& w = g.windows;
    for (int a = 0; a < 2; ++a)
      if (w.kernel[a] != 1 || w.in[a] != 1 || w.out[a] != 1 || w.pad[a] != 0) return false;
    const int64_t taps = w.kernel[2];
    return w.stride[2] == 1 && w.dilation[2] == 1 && taps >= 5 && taps <= fourier::kHalf &&
           w.out[2] >= 128;
  }

  // Of x, and of what has Y's shape.
  static Tiling data(const Correlation& g) { return tiling(g, g.windows.in[2], g.windows.pad[2]); }
  static Tiling rows(const Correlation& g) { return tiling(g, g.windows.out[2], 0); }

  template <class Source>
  static AT_PORTABLE void take_data(const Source& source, int, Lanes* to) {
    take<1>(source, kNumbers, kNumbers, to);
  }
  template <class Source>
  static AT_PORTABLE void take_rows(const Source& source, const Tiling& t, Lanes* to) {
    take<1>(source, kNumbers, kNumbers, to);
    for (int64_t r = t.along; r < kNumbers; ++r) to[r] = Lanes{};
  }
  template <class PlaneOf>
  static AT_PORTABLE void give(Lanes* made, const Tiling& t, int64_t first, int64_t last,
                               const PlaneOf& plane_of) {
    at::give<1, kNumbers>(made, t, t.along, first, last, plane_of);
  }

  static AT_PORTABLE void data_planes(const Lanes* x, int, Real* to, int64_t stride) {
    fourier::data_planes(x, to, stride);
  }
  static AT_PORTABLE void row_planes(const Lanes* x, Real* to, int64_t stride) {
    fourier::window_planes(x, to, stride);
  }
  static AT_PORTABLE void tap_planes(const Lanes* x, int, Real* to, int64_t stride) {
    fourier::window_planes(x, to, stride);
  }
  static AT_PORTABLE void outputs(const Real* made, int64_t stride, Lanes* to, int) {
    fourier::correlation(made, stride, to);
  }
  static AT_PORTABLE void kernel(const Real* made, int64_t stride, Lanes* to, int) {
    fourier::correlation(made, stride, to);
  }

 private:
  static Tiling tiling(const Correlation& g, int64_t numbers, int64_t before) {
    const int64_t length = kNumbers - g.windows.kernel[2] + 1;
    return {1,      numbers, 1,      kNumbers, 1,
            length, 0,       before, 1,        (g.windows.out[2] + length - 1) / length};
  }
};

}  // namespace AT_PRECISION
}  // namespace at
