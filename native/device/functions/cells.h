#pragma once

#include "device/functions/logistic.h"
#include "device/functions/scale.h"

// One step of recurrent layers (rules/recurrent/cells.cc), its rows numbers of state each. A GRU is
// one whose reset gate multiplies what its state gives, as PyTorch's.
namespace at::device {

enum class Cell { kRelu, kTanh, kLstm, kGru };

// What a step makes of its row's state: gates after their functions, these functions' slopes, and
// what else its way back needs (cell.h).
template <class T>
struct CellStep {
  static constexpr int kBytes = 8 * sizeof(T);
  Cell cell;
  int64_t hidden, width;
  Ref<const T> x;          // (B, g·H), the gates' part of the input
  Ref<const T> recurrent;  // that of the state
  Ref<const T> bias;       // (2·g·H), of both; may be none
  Ref<const T> h0, c0;     // (B, H)
  Ref<T> gate, slope;      // (B, g·H)
  Ref<T> rest, kept;       // (B, H)
  Ref<T> h1, c1;

  struct Row {
    const CellStep* f;
    int64_t state, gates;
    AT_PORTABLE T input(int64_t j, int k) const {
      const int64_t e = k * f->hidden + j;
      return f->x[gates + e] + (f->bias.get() ? f->bias[e] : T(0));
    }
    AT_PORTABLE T own(int64_t j, int k) const {
      const int64_t e = k * f->hidden + j;
      return f->recurrent[gates + e] + (f->bias.get() ? f->bias[f->width + e] : T(0));
    }
    AT_PORTABLE T squash(int64_t j, int k, bool by_tanh) const {
      const T v = input(j, k) + own(j, k);
      return set(j, k, by_tanh ? std::tanh(v) : logistic(v),
                 by_tanh ? tanh_slope(v) : logistic_slope(v));
    }
    AT_PORTABLE T set(int64_t j, int k, T value, T slope) const {
      f->gate[gates + k * f->hidden + j] = value;
      f->slope[gates + k * f->hidden + j] = slope;
      return value;
    }
    AT_PORTABLE void operator()(int64_t j) const {
      const int64_t e = state + j;
      switch (f->cell) {
        case Cell::kRelu: {
          const T v = input(j, 0) + own(j, 0);
          f->h1[e] = set(j, 0, v <= 0 ? T(0) : v, v <= 0 ? T(0) : T(1));
          return;
        }
        case Cell::kTanh:
          f->h1[e] = squash(j, 0, true);
          return;
        case Cell::kLstm: {
          const T i = squash(j, 0, false), o = squash(j, 1, false), g = squash(j, 3, true);
          const T c = squash(j, 2, false) * f->c0[e] + i * g, t = std::tanh(c);
          f->c1[e] = c;
          f->kept[e] = t;
          f->rest[e] = tanh_slope(c);
          f->h1[e] = o * t;
          return;
        }
        case Cell::kGru: {
          const T z = squash(j, 0, false), r = squash(j, 1, false), mine = own(j, 2);
          const T sum = input(j, 2) + r * mine;
          const T n = set(j, 2, std::tanh(sum), tanh_slope(sum));
          // 1 − z, which z itself does not tell where it is 1.
          const T rest = logistic(-(input(j, 0) + own(j, 0)));
          f->kept[e] = mine;
          f->rest[e] = rest;
          f->h1[e] = rest * n + z * f->h0[e];
          return;
        }
      }
    }
  };
  AT_PORTABLE Row row(int64_t b) const { return {this, b * hidden, b * width}; }
};

// From the cotangents dh, dc of the state after a step to those before it (in place, dh but for
// what flows through the recurrent weights), to dx of the gates' input part and dr of their
// recurrent part. Rows are (count, B).
template <class T>
struct CellBack {
  static constexpr int kBytes = 10 * sizeof(T);
  Cell cell;
  int64_t rows, hidden, width;
  Ref<const T> gate, slope, rest, kept, h0, c0;
  Ref<const T> y;  // the output's own cotangents, those of a count `y_step` apart; may be none
  int64_t y_step;
  Ref<T> dh, dc;  // (count, B, H)
  Ref<T> dx, dr;  // (count, B, g·H)

  struct Row {
    const CellBack* f;
    int64_t b, r;
    const T* y;
    AT_PORTABLE T at(const Ref<const T>& gates, int64_t j, int k) const {
      return gates[b * f->width + k * f->hidden + j];
    }
    AT_PORTABLE void set(int64_t j, int k, T x, T own) const {
      f->dx[r * f->width + k * f->hidden + j] = x;
      f->dr[r * f->width + k * f->hidden + j] = own;
    }
    AT_PORTABLE void operator()(int64_t j) const {
      const int64_t e = r * f->hidden + j, s = b * f->hidden + j;
      const T g = f->dh[e] + (y ? y[j] : T(0));
      switch (f->cell) {
        case Cell::kRelu:
        case Cell::kTanh: {
          const T d = at(f->slope, j, 0);
          const T v = f->cell == Cell::kRelu ? flowing<true>(d, g) : flowing<false>(d, g);
          set(j, 0, v, v);
          f->dh[e] = 0;
          return;
        }
        case Cell::kLstm: {
          const T c = f->dc[e] + flowing<false>(at(f->gate, j, 1) * f->rest[s], g);
          const T v[4] = {flowing<false>(at(f->gate, j, 3) * at(f->slope, j, 0), c),
                          flowing<false>(f->kept[s] * at(f->slope, j, 1), g),
                          flowing<false>(f->c0[s] * at(f->slope, j, 2), c),
                          flowing<false>(at(f->gate, j, 0) * at(f->slope, j, 3), c)};
          for (int k = 0; k < 4; ++k) set(j, k, v[k], v[k]);
          f->dc[e] = flowing<false>(at(f->gate, j, 2), c);
          f->dh[e] = 0;
          return;
        }
        case Cell::kGru: {
          const T z = flowing<false>((f->h0[s] - at(f->gate, j, 2)) * at(f->slope, j, 0), g);
          const T n = flowing<false>(f->rest[s] * at(f->slope, j, 2), g);
          const T reset = flowing<false>(f->kept[s] * at(f->slope, j, 1), n);
          set(j, 0, z, z);
          set(j, 1, reset, reset);
          set(j, 2, n, flowing<false>(at(f->gate, j, 1), n));
          f->dh[e] = flowing<false>(at(f->gate, j, 0), g);
          return;
        }
      }
    }
  };
  AT_PORTABLE Row row(int64_t r) const {
    const int64_t c = r / rows, b = r % rows;
    return {this, b, r, y.get() ? y + (c * y_step + b * hidden) : nullptr};
  }
};

// From the tangents th, tc of the state before a step to those after it, in place, with those of
// the gates' input and recurrent parts. Rows are (count, B).
template <class T>
struct CellAhead {
  static constexpr int kBytes = 10 * sizeof(T);
  Cell cell;
  int64_t rows, hidden, width;
  Ref<const T> gate, slope, rest, kept, h0, c0;
  Ref<const T> x;  // those of a count `x_step` apart; may be none
  int64_t x_step;
  Ref<const T> recurrent;  // (count, B, g·H)
  Ref<const T> bias;       // of both parts, those of a count `bias_step` apart; may be none
  int64_t bias_step;
  Ref<T> th, tc;  // (count, B, H)
  Ref<T> y;       // the output's own tangents, as x; may be none
  int64_t y_step;

  struct Row {
    const CellAhead* f;
    int64_t b, r;
    const T* x;
    const T* bias;
    T* y;
    AT_PORTABLE T at(const Ref<const T>& gates, int64_t j, int k) const {
      return gates[b * f->width + k * f->hidden + j];
    }
    AT_PORTABLE T input(int64_t j, int k) const {
      const int64_t e = k * f->hidden + j;
      return (x ? x[e] : T(0)) + (bias ? bias[e] : T(0));
    }
    AT_PORTABLE T own(int64_t j, int k) const {
      const int64_t e = k * f->hidden + j;
      return f->recurrent[r * f->width + e] + (bias ? bias[f->width + e] : T(0));
    }
    // The tangent of gate k times d.
    AT_PORTABLE T gated(int64_t j, int k, T d) const {
      return flowing<false>(at(f->slope, j, k) * d, input(j, k) + own(j, k));
    }
    AT_PORTABLE T next(int64_t j) const {
      const int64_t e = r * f->hidden + j, s = b * f->hidden + j;
      switch (f->cell) {
        case Cell::kRelu:
          return flowing<true>(at(f->slope, j, 0), input(j, 0) + own(j, 0));
        case Cell::kTanh:
          return gated(j, 0, 1);
        case Cell::kLstm: {
          const T c = gated(j, 2, f->c0[s]) + flowing<false>(at(f->gate, j, 2), f->tc[e]) +
                      gated(j, 0, at(f->gate, j, 3)) + gated(j, 3, at(f->gate, j, 0));
          f->tc[e] = c;
          return gated(j, 1, f->kept[s]) + flowing<false>(at(f->gate, j, 1) * f->rest[s], c);
        }
        default: {
          const T state = gated(j, 1, f->kept[s]) + flowing<false>(at(f->gate, j, 1), own(j, 2));
          return gated(j, 0, f->h0[s] - at(f->gate, j, 2)) +
                 flowing<false>(at(f->slope, j, 2) * f->rest[s], input(j, 2) + state) +
                 flowing<false>(at(f->gate, j, 0), f->th[e]);
        }
      }
    }
    AT_PORTABLE void operator()(int64_t j) const {
      const T h = next(j);
      f->th[r * f->hidden + j] = h;
      if (y) y[j] = h;
    }
  };
  AT_PORTABLE Row row(int64_t r) const {
    const int64_t c = r / rows, b = r % rows;
    return {this,
            b,
            r,
            x.get() ? x + (c * x_step + b * width) : nullptr,
            bias.get() ? bias + c * bias_step : nullptr,
            y.get() ? y + (c * y_step + b * hidden) : nullptr};
  }
};

}  // namespace at::device
