#pragma once

#include <memory>
#include <vector>

#include "rules/rule.h"

namespace at {
inline namespace AT_PRECISION {

// One direction of a recurrent layer over a sequence: its weights, and what its forward run left
// behind. Steps are counted in the order of the run; B rows at once, H numbers of state each, g·H
// numbers of gates.
struct Run {
  int64_t steps = 0, rows = 0, inputs = 0, hidden = 0, gates = 0;
  const Real* weight = nullptr;     // (g·H, I)
  const Real* recurrent = nullptr;  // (g·H, H)
  const Real* bias = nullptr;       // (2·g·H): of the input, of the state; may be null
  bool backwards = false;
  bool sound = true;         // are all operands and states finite?
  std::vector<Real> state;   // h (steps + 1, B, H), the initial one first
  std::vector<Real> memory;  // the same for c, of an LSTM
  std::vector<Real> active;  // gates after their functions (steps, B, g·H)
  std::vector<Real> slope;   // their functions' derivatives (steps, B, g·H)
  std::vector<Real> inner;   // what else a cell keeps (steps, B, H); of an LSTM tanh(c)
  std::vector<Real> rest;    // of a GRU's update gate: 1 − z (steps, B, H); of an LSTM tanh'(c)

  int64_t width() const { return gates * hidden; }
  int64_t cells() const { return rows * hidden; }
  int64_t time(int64_t step) const { return backwards ? steps - 1 - step : step; }
  const Real* h(int64_t step) const { return state.data() + step * cells(); }
  const Real* c(int64_t step) const { return memory.data() + step * cells(); }
  const Real* gate(int64_t step) const { return active.data() + step * rows * width(); }
  const Real* slopes(int64_t step) const { return slope.data() + step * rows * width(); }
  const Real* rests(int64_t step) const { return rest.data() + step * cells(); }
  const Real* kept(int64_t step) const { return inner.data() + step * cells(); }
};

// Tangents of one direction's recurrent weights: (D, g·H, H) at distance `step`, null when zero.
struct RunTangents {
  const Real* recurrent = nullptr;
  int64_t recurrent_step = 0;
  const Real* bias = nullptr;  // of the state's bias (D, g·H) at distance `bias_step`
  int64_t bias_step = 0;
};

// The mathematics of one step. Arrays of `count` cotangents or tangents are (count, B, …).
class Cell {
 public:
  virtual ~Cell() = default;
  virtual int64_t gates() const = 0;
  virtual bool has_memory() const { return false; }
  // State after `step` from `x` (B, g·H), the input's part of the gates.
  virtual void step(Run& run, int64_t step, const Real* x) const = 0;
  // From the cotangents dh, dc of the state after a step to those before it (in place), dx (of the
  // gates' input part) and dr (of their recurrent part), (count, B, g·H) each.
  virtual void back(const Run& run, int64_t step, int64_t count, Real* dh, Real* dc, Real* dx,
                    Real* dr) const = 0;
  // From the tangents th, tc of the state before a step to those after it; tx (count, B, g·H).
  virtual void ahead(const Run& run, const RunTangents& tangents, int64_t step, int64_t count,
                     const Real* tx, Real* th, Real* tc) const = 0;
  // Rows of the gates, from here on, whose recurrent part is of `kept` instead of the state.
  virtual int64_t kept_from(const Run& run) const { return run.width(); }
};

// The cell that a node describes, or null with `why` set.
std::unique_ptr<Cell> cell_of(const Node& node, std::string& why);

// c (m × n) = beta·c + op(a)·op(b), where `flow` tells which of the two are cotangents or tangents:
// nothing flows through those that are 0. For a run that is not sound.
enum class Flow { kLeft, kRight };
void spoilt_gemm(Flow flow, bool trans_a, bool trans_b, int64_t m, int64_t n, int64_t k,
                 const Real* a, int64_t lda, const Real* b, int64_t ldb, Real beta, Real* c,
                 int64_t ldc);

// to (count·B, rows [first, last)) at distance g·H = v (count·B, H)·R[first, last)ᵀ.
void through_state(const Run& run, int64_t rows, const Real* v, int64_t first, int64_t last,
                   Real* to);

}  // namespace AT_PRECISION
}  // namespace at
