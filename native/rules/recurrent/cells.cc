#include <algorithm>
#include <cmath>

#include "core/blas.h"
#include "core/parallel.h"
#include "core/wider.h"
#include "rules/recurrent/cell.h"
#include "rules/support/exponential.h"
#include "rules/support/logistic.h"
#include "rules/support/times.h"

namespace at {
inline namespace AT_PRECISION {

void through_state(const Run& run, int64_t rows, const Real* v, int64_t first, int64_t last,
                   Real* to) {
  blas::parallel_gemm(false, true, rows, last - first, run.hidden, Real(1.0), v, run.hidden,
                      run.recurrent + first * run.hidden, run.hidden, Real(0.0), to + first,
                      run.width());
}

void spoilt_gemm(Flow flow, bool trans_a, bool trans_b, int64_t m, int64_t n, int64_t k,
                 const Real* a, int64_t lda, const Real* b, int64_t ldb, Real beta, Real* c,
                 int64_t ldc) {
  for (int64_t i = 0; i < m; ++i)
    for (int64_t j = 0; j < n; ++j) {
      Real sum = 0;
      for (int64_t q = 0; q < k; ++q) {
        const Real u = trans_a ? a[q * lda + i] : a[i * lda + q];
        const Real v = trans_b ? b[j * ldb + q] : b[q * ldb + j];
        sum += flow == Flow::kLeft ? times(v, u) : times(u, v);
      }
      c[i * ldc + j] = beta == 0 ? sum : sum + beta * c[i * ldc + j];
    }
}

namespace {

// The recurrent part of the gates [first, last) from v (B, H), its bias included: to (B, g·H).
void recurrent_part(const Run& run, const Real* v, int64_t first, int64_t last, Real* to) {
  through_state(run, run.rows, v, first, last, to);
  if (!run.bias) return;
  const Real* bias = run.bias + run.width();
  for (int64_t b = 0; b < run.rows; ++b)
    for (int64_t e = first; e < last; ++e) to[b * run.width() + e] += bias[e];
}

// Its tangents from those of v, to (count, B, g·H).
void recurrent_tangent(const Run& run, const RunTangents& tangents, int64_t count,
                       const Real* values, const Real* v, int64_t first, int64_t last, Real* to) {
  const int64_t width = run.width(), hidden = run.hidden;
  if (run.sound) {
    through_state(run, count * run.rows, v, first, last, to);
  } else {
    spoilt_gemm(Flow::kLeft, false, true, count * run.rows, last - first, hidden, v, hidden,
                run.recurrent + first * hidden, hidden, 0, to + first, width);
  }
  for (int64_t c = 0; c < count; ++c) {
    Real* own = to + c * run.rows * width;
    if (tangents.recurrent) {
      const Real* r = tangents.recurrent + c * tangents.recurrent_step + first * hidden;
      if (run.sound) {
        blas::gemm(false, true, run.rows, last - first, hidden, Real(1.0), values, hidden, r,
                   hidden, Real(1.0), own + first, width);
      } else {
        spoilt_gemm(Flow::kRight, false, true, run.rows, last - first, hidden, values, hidden, r,
                    hidden, 1, own + first, width);
      }
    }
    if (!tangents.bias) continue;
    const Real* bias = tangents.bias + c * tangents.bias_step;
    for (int64_t b = 0; b < run.rows; ++b)
      for (int64_t e = first; e < last; ++e) own[b * width + e] += bias[e];
  }
}

// dh (count, B, H) += d (count, B, rows [0, last) of g·H)·R[0, last).
void state_cotangent(const Run& run, int64_t count, const Real* d, int64_t last, Real beta,
                     Real* dh) {
  const int64_t hidden = run.hidden;
  if (run.sound) {
    blas::parallel_gemm(false, false, count * run.rows, hidden, last, Real(1.0), d, run.width(),
                        run.recurrent, hidden, beta, dh, hidden);
  } else {
    spoilt_gemm(Flow::kLeft, false, false, count * run.rows, hidden, last, d, run.width(),
                run.recurrent, hidden, beta, dh, hidden);
  }
}

// body(i, b, j): cotangent or tangent i (of `count`), row b, number j of the state; its place in
// (count, B, H) is e, its first gate's in (count, B, g·H) is q.
template <class Body>
void each_cell(const Run& run, int64_t count, const Body& body) {
  const int64_t hidden = run.hidden;
  parallel_for(count * run.rows, grain_for(hidden * 8), [&](int64_t first, int64_t last) {
    for (int64_t r = first; r < last; ++r)
      for (int64_t j = 0; j < hidden; ++j)
        body(r % run.rows, j, r * hidden + j, r * run.width() + j);
  });
}

// body(r, b) for every line of H numbers: line r of (count, B, H) is of row b.
template <class Body>
void each_line(const Run& run, int64_t count, const Body& body) {
  parallel_for(count * run.rows, grain_for(run.hidden * 8), [&](int64_t first, int64_t last) {
    for (int64_t r = first; r < last; ++r) body(r, r % run.rows);
  });
}

// Gates from their recurrent part (n numbers, replaced) and their input part, and their slopes.
void squash(const Real* x, int64_t n, Real* __restrict gate, Real* __restrict slope) {
  for (int64_t j = 0; j < n; ++j) {
    const Real value = gate[j] + x[j];
    const Real e = exponential(-std::abs(value)), s = 1 / (1 + e);
    gate[j] = (value < 0 ? e : 1) * s;
    slope[j] = e * s * s;
  }
}
void squash_signed(const Real* x, int64_t n, Real* __restrict gate, Real* __restrict slope) {
  for (int64_t j = 0; j < n; ++j) {
    const Real value = gate[j] + x[j];
    gate[j] = hyperbolic_tangent(value);
    slope[j] = tanh_slope(value);
  }
}

class Simple final : public Cell {
 public:
  explicit Simple(bool relu) : relu_(relu) {}
  int64_t gates() const override { return 1; }

  void step(Run& run, int64_t step, const Real* x) const override {
    std::vector<Real> part(static_cast<size_t>(run.cells()));
    recurrent_part(run, run.h(step), 0, run.width(), part.data());
    Real* h = run.state.data() + (step + 1) * run.cells();
    Real* slope = run.slope.data() + step * run.cells();
    for (int64_t e = 0; e < run.cells(); ++e) {
      const Real value = x[e] + part[e];
      h[e] = relu_ ? (value <= 0 ? 0 : value) : hyperbolic_tangent(value);
      slope[e] = relu_ ? (value <= 0 ? 0 : 1) : tanh_slope(value);
    }
  }
  void back(const Run& run, int64_t step, int64_t count, Real* dh, Real*, Real* dx,
            Real* dr) const override {
    const Real* slope = run.slopes(step);
    each_cell(run, count, [&](int64_t b, int64_t j, int64_t e, int64_t) {
      dx[e] = dr[e] = product(slope[b * run.hidden + j], dh[e]);
    });
    state_cotangent(run, count, dr, run.width(), 0, dh);
  }
  void ahead(const Run& run, const RunTangents& tangents, int64_t step, int64_t count,
             const Real* tx, Real* th, Real*) const override {
    std::vector<Real> part(static_cast<size_t>(count * run.cells()));
    recurrent_tangent(run, tangents, count, run.h(step), th, 0, run.width(), part.data());
    const Real* slope = run.slopes(step);
    each_cell(run, count, [&](int64_t b, int64_t j, int64_t e, int64_t) {
      th[e] = product(slope[b * run.hidden + j], tx[e] + part[e]);
    });
  }

 private:
  Real product(Real d, Real g) const { return relu_ ? times_selected(d, g) : times(d, g); }
  bool relu_;
};

// Gates i, o, f, g: c' = f·c + i·g, h' = o·tanh(c').
class Lstm final : public Cell {
 public:
  int64_t gates() const override { return 4; }
  bool has_memory() const override { return true; }

  void step(Run& run, int64_t step, const Real* x) const override {
    const int64_t width = run.width(), n = run.hidden;
    Real* gate = run.active.data() + step * run.rows * width;
    Real* slope = run.slope.data() + step * run.rows * width;
    recurrent_part(run, run.h(step), 0, width, gate);
    const Real* c = run.c(step);
    Real* h1 = run.state.data() + (step + 1) * run.cells();
    Real* c1 = run.memory.data() + (step + 1) * run.cells();
    Real* squashed = run.inner.data() + step * run.cells();  // tanh(c')
    Real* squashed_slope = run.rest.data() + step * run.cells();
    each_line(run, 1, [&](int64_t r, int64_t) {
      Real* own = gate + r * width;
      const Real* input = x + r * width;
      Real* own_slope = slope + r * width;
      const Real *before = c + r * n, *i = own, *o = own + n, *f = own + 2 * n, *g = own + 3 * n;
      Real *after = c1 + r * n, *h = h1 + r * n, *t = squashed + r * n, *d = squashed_slope + r * n;
      wider([&] {
        squash(input, 3 * n, own, own_slope);
        squash_signed(input + 3 * n, n, own + 3 * n, own_slope + 3 * n);
        for (int64_t j = 0; j < n; ++j) after[j] = f[j] * before[j] + i[j] * g[j];
        for (int64_t j = 0; j < n; ++j) t[j] = hyperbolic_tangent(after[j]);
        for (int64_t j = 0; j < n; ++j) d[j] = tanh_slope(after[j]);
        for (int64_t j = 0; j < n; ++j) h[j] = o[j] * t[j];
      });
    });
  }
  void back(const Run& run, int64_t step, int64_t count, Real* dh, Real* dc, Real* dx,
            Real* dr) const override {
    const int64_t n = run.hidden, width = run.width();
    each_line(run, count, [&](int64_t r, int64_t b) {
      wider([&] {
        undo_line(n, run.gate(step) + b * width, run.slopes(step) + b * width, run.c(step) + b * n,
                  run.kept(step) + b * n, run.rests(step) + b * n, dh + r * n, dc + r * n,
                  dx + r * width);
      });
      std::copy_n(dx + r * width, width, dr + r * width);
    });
    state_cotangent(run, count, dr, run.width(), 0, dh);
  }
  void ahead(const Run& run, const RunTangents& tangents, int64_t step, int64_t count,
             const Real* tx, Real* th, Real* tc) const override {
    const int64_t n = run.hidden;
    std::vector<Real> part(static_cast<size_t>(count * run.rows * run.width()));
    recurrent_tangent(run, tangents, count, run.h(step), th, 0, run.width(), part.data());
    each_cell(run, count, [&](int64_t b, int64_t j, int64_t e, int64_t q) {
      const Real* gate = run.gate(step) + b * run.width() + j;
      const Real* slope = run.slopes(step) + b * run.width() + j;
      const Real i = gate[0], o = gate[n], f = gate[2 * n], g = gate[3 * n];
      const Real c0 = run.c(step)[b * n + j];
      // The tangent of gate k times d.
      const auto gated = [&](int k, Real d) {
        return times(slope[k * n] * d, tx[q + k * n] + part[q + k * n]);
      };
      tc[e] = gated(2, c0) + times(f, tc[e]) + gated(0, g) + gated(3, i);
      th[e] = gated(1, run.kept(step)[b * n + j]) + times(o * run.rests(step)[b * n + j], tc[e]);
    });
  }

 private:
  // Of one row, all arrays apart: dx from dh and dc, which becomes that of the state before.
  static void undo_line(int64_t n, const Real* gate, const Real* slope, const Real* c,
                        const Real* squashed, const Real* squashed_slope, const Real* dh,
                        Real* __restrict dc, Real* __restrict dx) {
    const Real *i = gate, *o = gate + n, *f = gate + 2 * n, *g = gate + 3 * n;
    for (int64_t j = 0; j < n; ++j) dc[j] += times(o[j] * squashed_slope[j], dh[j]);
    for (int64_t j = 0; j < n; ++j) dx[j] = times(g[j] * slope[j], dc[j]);
    for (int64_t j = 0; j < n; ++j) dx[n + j] = times(squashed[j] * slope[n + j], dh[j]);
    for (int64_t j = 0; j < n; ++j) dx[2 * n + j] = times(c[j] * slope[2 * n + j], dc[j]);
    for (int64_t j = 0; j < n; ++j) dx[3 * n + j] = times(i[j] * slope[3 * n + j], dc[j]);
    for (int64_t j = 0; j < n; ++j) dc[j] = times(f[j], dc[j]);
  }
};

// Gates z, r, n: h' = (1 − z)·n + z·h. n's recurrent part is r·(R h + b), as PyTorch has it
// (`linear` in ONNX: linear_before_reset), or R(r·h) + b.
class Gru final : public Cell {
 public:
  explicit Gru(bool linear) : linear_(linear) {}
  int64_t gates() const override { return 3; }
  int64_t kept_from(const Run& run) const override {
    return linear_ ? run.width() : 2 * run.hidden;
  }

  void step(Run& run, int64_t step, const Real* x) const override {
    const int64_t n = run.hidden, width = run.width();
    Real* gate = run.active.data() + step * run.rows * width;
    Real* slope = run.slope.data() + step * run.rows * width;
    Real* kept = run.inner.data() + step * run.cells();
    Real* rest = run.rest.data() + step * run.cells();
    const Real* h = run.h(step);
    Real* h1 = run.state.data() + (step + 1) * run.cells();
    recurrent_part(run, h, 0, linear_ ? width : 2 * n, gate);
    each_cell(run, 1, [&](int64_t, int64_t, int64_t e, int64_t q) {
      for (int k = 0; k < 2; ++k) {
        const Real value = gate[q + k * n] + x[q + k * n];
        gate[q + k * n] = logistic(value);
        slope[q + k * n] = logistic_slope(value);
        // 1 − z, which z itself does not tell where it is 1.
        if (k == 0) rest[e] = logistic(-value);
      }
      kept[e] = linear_ ? gate[q + 2 * n] : gate[q + n] * h[e];
    });
    if (!linear_) recurrent_part(run, kept, 2 * n, width, gate);
    each_cell(run, 1, [&](int64_t, int64_t, int64_t e, int64_t q) {
      const Real reset = linear_ ? gate[q + n] : 1;
      const Real sum = x[q + 2 * n] + reset * gate[q + 2 * n], value = hyperbolic_tangent(sum);
      gate[q + 2 * n] = value;
      slope[q + 2 * n] = tanh_slope(sum);
      h1[e] = rest[e] * value + gate[q] * h[e];
    });
  }
  void back(const Run& run, int64_t step, int64_t count, Real* dh, Real*, Real* dx,
            Real* dr) const override {
    const int64_t n = run.hidden;
    const auto place = [&](int64_t b, int64_t j) { return run.gate(step) + b * run.width() + j; };
    each_cell(run, count, [&](int64_t b, int64_t j, int64_t e, int64_t q) {
      const Real* gate = place(b, j);
      const Real* slope = run.slopes(step) + b * run.width() + j;
      const Real kept = run.kept(step)[b * n + j], h0 = run.h(step)[b * n + j];
      dx[q] = times((h0 - gate[2 * n]) * slope[0], dh[e]);
      dx[q + 2 * n] = times(run.rests(step)[b * n + j] * slope[2 * n], dh[e]);
      if (linear_) dx[q + n] = times(kept * slope[n], dx[q + 2 * n]);
      dh[e] = times(gate[0], dh[e]);
    });
    if (!linear_) {
      std::vector<Real> through(static_cast<size_t>(count * run.cells()));
      if (run.sound) {
        blas::parallel_gemm(false, false, count * run.rows, n, n, Real(1.0), dx + 2 * n,
                            run.width(), run.recurrent + 2 * n * n, n, Real(0.0), through.data(),
                            n);
      } else {
        spoilt_gemm(Flow::kLeft, false, false, count * run.rows, n, n, dx + 2 * n, run.width(),
                    run.recurrent + 2 * n * n, n, 0, through.data(), n);
      }
      each_cell(run, count, [&](int64_t b, int64_t j, int64_t e, int64_t q) {
        const Real slope = run.slopes(step)[b * run.width() + j + n];
        dx[q + n] = times(run.h(step)[b * n + j] * slope, through[e]);
        dh[e] += times(place(b, j)[n], through[e]);
      });
    }
    each_cell(run, count, [&](int64_t b, int64_t j, int64_t, int64_t q) {
      dr[q] = dx[q];
      dr[q + n] = dx[q + n];
      dr[q + 2 * n] = linear_ ? times(place(b, j)[n], dx[q + 2 * n]) : dx[q + 2 * n];
    });
    state_cotangent(run, count, dr, linear_ ? run.width() : 2 * n, 1, dh);
  }
  void ahead(const Run& run, const RunTangents& tangents, int64_t step, int64_t count,
             const Real* tx, Real* th, Real*) const override {
    const int64_t n = run.hidden, width = run.width();
    std::vector<Real> part(static_cast<size_t>(count * run.rows * width));
    recurrent_tangent(run, tangents, count, run.h(step), th, 0, linear_ ? width : 2 * n,
                      part.data());
    // The reset gate's tangent times d.
    const auto reset = [&](int64_t b, int64_t j, int64_t q, Real d) {
      return times(run.slopes(step)[b * width + j + n] * d, tx[q + n] + part[q + n]);
    };
    if (!linear_) {
      std::vector<Real> kept(static_cast<size_t>(count * run.cells()));
      each_cell(run, count, [&](int64_t b, int64_t j, int64_t e, int64_t q) {
        const Real* gate = run.gate(step) + b * width + j;
        kept[e] = reset(b, j, q, run.h(step)[b * n + j]) + times(gate[n], th[e]);
      });
      recurrent_tangent(run, tangents, count, run.kept(step), kept.data(), 2 * n, width,
                        part.data());
    }
    each_cell(run, count, [&](int64_t b, int64_t j, int64_t e, int64_t q) {
      const Real* gate = run.gate(step) + b * width + j;
      const Real* slope = run.slopes(step) + b * width + j;
      const Real own = part[q + 2 * n];
      const Real state =
          linear_ ? reset(b, j, q, run.kept(step)[b * n + j]) + times(gate[n], own) : own;
      const Real rest = run.rests(step)[b * n + j];
      th[e] = times(slope[0] * (run.h(step)[b * n + j] - gate[2 * n]), tx[q] + part[q]) +
              times(slope[2 * n] * rest, tx[q + 2 * n] + state) + times(gate[0], th[e]);
    });
  }

 private:
  bool linear_;
};

}  // namespace

std::unique_ptr<Cell> cell_of(const Node& node, std::string& why) {
  const Attributes& attributes = node.attributes;
  const bool both = attributes.text("direction", "forward") == "bidirectional";
  std::vector<std::string> names = attributes.texts("activations");
  for (std::string& name : names)
    for (char& c : name) c = static_cast<char>(std::tolower(c));
  const size_t each = node.op == "LSTM" ? 3 : node.op == "GRU" ? 2 : 1;
  std::vector<std::string> usual = node.op == "LSTM"
                                       ? std::vector<std::string>{"sigmoid", "tanh", "tanh"}
                                   : node.op == "GRU" ? std::vector<std::string>{"sigmoid", "tanh"}
                                                      : std::vector<std::string>{"tanh"};
  const bool relu = node.op == "RNN" && !names.empty() && names[0] == "relu";
  if (relu) usual[0] = "relu";
  for (size_t i = 0; i < names.size(); ++i)
    if (names[i] != usual[i % each]) why = "it has other activation functions than usual";
  if (!names.empty() && names.size() != each * (both ? 2 : 1))
    why = "it has other activation functions than usual";
  if (attributes.has("clip")) why = "it clips its gates";
  if (attributes.integer("input_forget", 0) != 0) why = "its input and forget gates are coupled";
  if (attributes.integer("layout", 0) != 0) why = "its layout is batch first";
  if (!why.empty()) return nullptr;
  if (node.op == "LSTM") return std::make_unique<Lstm>();
  if (node.op == "GRU")
    return std::make_unique<Gru>(attributes.integer("linear_before_reset", 0) != 0);
  return std::make_unique<Simple>(relu);
}

}  // namespace AT_PRECISION
}  // namespace at
