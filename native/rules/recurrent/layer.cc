// LSTM, GRU and RNN: X (steps, B, I), W (D, g·H, I), R (D, g·H, H), bias (D, 2·g·H), initial states
// (D, B, H); Y (steps, D, B, H) and the last states (D, B, H). In reverse the gates are computed
// again, then the steps are undone from the last to the first.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "core/blas.h"
#include "rules/device/recurrent.h"
#include "rules/recurrent/cell.h"
#include "rules/support/batch.h"
#include "rules/support/finite.h"
#include "rules/support/pack.h"

namespace at {
inline namespace AT_PRECISION {
namespace {

// Direction d.
Run forward_run(const NodeView& view, const Cell& cell, int64_t d) {
  const Shape& x = view.input(0).shape;
  const std::string direction = view.node().attributes.text("direction", "forward");
  Run run;
  run.steps = x[0];
  run.rows = x[1];
  run.inputs = x[2];
  run.hidden = view.input(2).shape[2];
  run.gates = cell.gates();
  run.backwards = direction == "reverse" || d == 1;
  const int64_t width = run.width();
  run.weight = view.input(1).reals() + d * width * run.inputs;
  run.recurrent = view.input(2).reals() + d * width * run.hidden;
  if (view.has_input(3)) run.bias = view.input(3).reals() + d * 2 * width;
  run.state.resize(static_cast<size_t>((run.steps + 1) * run.cells()));
  run.active.resize(static_cast<size_t>(run.steps * run.rows * width));
  run.slope.resize(run.active.size());
  run.rest.resize(static_cast<size_t>(run.steps * run.cells()));
  run.inner.resize(static_cast<size_t>(run.steps * run.cells()));
  const auto start = [&](int k, std::vector<Real>& values) {
    if (view.has_input(k))
      std::copy_n(view.input(k).reals() + d * run.cells(), run.cells(), values.data());
  };
  start(5, run.state);
  if (cell.has_memory()) {
    run.memory.resize(run.state.size());
    start(6, run.memory);
  }
  std::vector<Real> part(static_cast<size_t>(run.steps * run.rows * width));
  blas::parallel_gemm(false, true, run.steps * run.rows, width, run.inputs, Real(1.0),
                      view.input(0).reals(), run.inputs, run.weight, run.inputs, Real(0.0),
                      part.data(), width);
  if (run.bias)
    for (int64_t r = 0; r < run.steps * run.rows; ++r)
      for (int64_t e = 0; e < width; ++e) part[r * width + e] += run.bias[e];
  for (int64_t s = 0; s < run.steps; ++s)
    cell.step(run, s, part.data() + run.time(s) * run.rows * width);
  // The states tell of the gates and the inputs; the weights may be met by states that are 0.
  run.sound = all_finite(run.state.data(), static_cast<int64_t>(run.state.size())) &&
              all_finite(run.memory.data(), static_cast<int64_t>(run.memory.size())) &&
              all_finite(part.data(), static_cast<int64_t>(part.size())) &&
              all_finite(view.input(0).reals(), view.input(0).size()) &&
              all_finite(run.weight, width * run.inputs) &&
              all_finite(run.recurrent, width * run.hidden);
  return run;
}

std::vector<Run> forward_runs(const NodeView& view, const Cell& cell) {
  std::vector<Run> runs(static_cast<size_t>(view.input(1).shape[0]));
  parallel_for(static_cast<int64_t>(runs.size()), 1, [&](int64_t first, int64_t last) {
    for (int64_t d = first; d < last; ++d)
      runs[static_cast<size_t>(d)] = forward_run(view, cell, d);
  });
  return runs;
}

// Cotangents of the gates of one direction, of their input part and of their recurrent part.
struct Gates {
  Real* x;  // (steps by time, count, B, g·H)
  Real* r;
};

class Recurrent final : public Rule {
 public:
  bool differentiable(const Node&, int k) const override { return k != 4; }

  Needs needs(const Node&, const std::vector<bool>&) const override {
    return {{0, 1, 2, 3, 5, 6}, {}};
  }

  std::unique_ptr<Refusal> refuse(const Node& node, const Tape&) const override {
    std::string why;
    cell_of(node, why);
    const auto has = [&](size_t k) { return node.inputs.size() > k && node.inputs[k] >= 0; };
    if (has(4)) why = "its sequences have lengths of their own";
    if (has(7)) why = "it has peepholes";
    if (why.empty()) return nullptr;
    return std::make_unique<Refusal>(
        Refusal{why, "export it as PyTorch's layers are exported, or unroll it"});
  }

  void reverse(Call& call) const override {
    std::string why;
    const std::unique_ptr<Cell> cell = cell_of(call.node(), why);
    const std::vector<Run> runs = forward_runs(call, *cell);
    std::vector<Gates> gates;
    std::vector<Real*> states;
    for (const Run& run : runs) {
      const int64_t all = call.count() * run.cells();
      const int64_t width = call.count() * run.rows * run.width();
      gates.push_back({call.scratch(run.steps * width), call.scratch(run.steps * width)});
      states.push_back(call.scratch(2 * all));
    }
    Real* first[2] = {call.wants(5) ? plain(call, 5) : nullptr,
                      call.wants(6) ? plain(call, 6) : nullptr};
    parallel_for(static_cast<int64_t>(runs.size()), 1, [&](int64_t begin, int64_t end) {
      for (int64_t d = begin; d < end; ++d) undo(call, *cell, runs, d, gates[d], states[d], first);
    });
    if (call.wants(0)) input(call, runs, gates);
    if (call.wants(3)) bias(call, runs, gates);
    if (call.wants(1)) weight(call, *cell, runs, gates, 1);
    if (call.wants(2)) weight(call, *cell, runs, gates, 2);
  }

  void forward(TangentCall& call) const override;

 private:
  static Real* plain(Call& call, int k) {
    require_plain(call, k);
    return call.in(k);
  }

  // Direction d, with room for two cotangents of its state.
  static void undo(const Call& call, const Cell& cell, const std::vector<Run>& runs, int64_t d,
                   const Gates& gates, Real* room, Real* const first[2]) {
    const Run& run = runs[static_cast<size_t>(d)];
    const int64_t count = call.count(), cells = run.cells(), all = count * cells;
    const int64_t width = count * run.rows * run.width();
    Real* state[2] = {room, room + all};
    const int64_t across = static_cast<int64_t>(runs.size()) * cells;  // (D, B, H)
    for (int s = 0; s < 2; ++s) {
      const Real* out = call.out(1 + s);
      for (int64_t c = 0; c < count; ++c) {
        Real* own = state[s] + c * cells;
        if (out) {
          std::copy_n(out + c * across + d * cells, cells, own);
        } else {
          std::fill(own, own + cells, Real(0.0));
        }
      }
    }
    for (int64_t s = run.steps; s-- > 0;) {
      const int64_t t = run.time(s);
      if (const Real* out = call.out(0))
        for (int64_t c = 0; c < count; ++c) {
          const Real* g = out + (c * run.steps + t) * across + d * cells;
          Real* own = state[0] + c * cells;
          for (int64_t e = 0; e < cells; ++e) own[e] += g[e];
        }
      call.control().poll();
      cell.back(run, s, count, state[0], state[1], gates.x + t * width, gates.r + t * width);
    }
    for (int s = 0; s < 2; ++s)
      for (int64_t c = 0; first[s] && c < count; ++c)
        std::copy_n(state[s] + c * cells, cells, first[s] + c * across + d * cells);
  }

  // X's cotangent (count, steps, B, I), both directions together.
  static void input(Call& call, const std::vector<Run>& runs, const std::vector<Gates>& gates) {
    const Run& any = runs[0];
    const int64_t count = call.count();
    Real* in = plain(call, 0);
    parallel_for(count * any.steps, 1, [&](int64_t first, int64_t last) {
      for (int64_t item = first; item < last; ++item) {
        const int64_t c = item / any.steps, t = item % any.steps;
        for (size_t d = 0; d < runs.size(); ++d) {
          const Real* g = gates[d].x + (t * count + c) * any.rows * any.width();
          Real* to = in + item * any.rows * any.inputs;
          const Real beta = d ? 1 : 0;
          if (runs[d].sound) {
            blas::gemm(false, false, any.rows, any.inputs, any.width(), Real(1.0), g, any.width(),
                       runs[d].weight, any.inputs, beta, to, any.inputs);
          } else {
            spoilt_gemm(Flow::kLeft, false, false, any.rows, any.inputs, any.width(), g,
                        any.width(), runs[d].weight, any.inputs, beta, to, any.inputs);
          }
        }
      }
    });
  }

  // The sample of every row of the batch.
  static std::vector<int64_t> row_samples(const Call& call, const Run& run) {
    std::vector<int64_t> samples;
    int j = 0;
    while (call.output(j).shape.empty() && j < 2) ++j;
    for (int64_t b = 0; b < run.rows; ++b)
      samples.push_back(sample_of(call.output(j), b * run.hidden, call.samples()));
    return samples;
  }

  static void bias(Call& call, const std::vector<Run>& runs, const std::vector<Gates>& gates) {
    const Run& any = runs[0];
    const int64_t count = call.count(), width = any.width();
    const int64_t samples = call.per_sample(3) ? call.samples() : 1;
    const std::vector<int64_t> of = row_samples(call, any);
    const int64_t size = call.input(3).size();
    Real* in = call.in(3);
    fill_zero(in, count * samples * size);
    for (size_t d = 0; d < runs.size(); ++d)
      for (int64_t t = 0; t < any.steps; ++t)
        for (int64_t c = 0; c < count; ++c)
          for (int64_t b = 0; b < any.rows; ++b) {
            const int64_t from = ((t * count + c) * any.rows + b) * width;
            const int64_t s = samples > 1 ? of[b] : 0;
            Real* to = in + (c * samples + s) * size + static_cast<int64_t>(d) * 2 * width;
            for (int64_t e = 0; e < width; ++e) {
              to[e] += gates[d].x[from + e];
              to[width + e] += gates[d].r[from + e];
            }
          }
  }

  // What multiplies the gates' cotangents in the features of W (k 1) or R (k 2) at a time.
  static const Real* partner(Call& call, const Run& run, int k, int64_t t, bool kept) {
    if (k == 1) return call.input(0).reals() + t * run.rows * run.inputs;
    const int64_t step = run.time(t);
    return kept ? run.kept(step) : run.h(step);
  }

  static void weight(Call& call, const Cell& cell, const std::vector<Run>& runs,
                     const std::vector<Gates>& gates, int k) {
    const Run& any = runs[0];
    const int64_t count = call.count(), width = any.width(), rows = any.rows;
    const int64_t numbers = k == 1 ? any.inputs : any.hidden;
    // Some gates may see another state: then every time counts twice, each with part of the gates.
    const int64_t border = k == 1 ? width : cell.kept_from(any);
    const int64_t rounds = border < width ? 2 : 1;
    const auto groups = static_cast<int64_t>(runs.size());
    const auto gate = [&](int64_t d) { return k == 1 ? gates[d].x : gates[d].r; };
    if (!call.per_sample(k)) {
      Real* in = call.in(k);
      parallel_for(count * groups, 1, [&](int64_t first, int64_t last) {
        for (int64_t item = first; item < last; ++item) {
          const int64_t c = item / groups, d = item % groups;
          for (int64_t t = 0; t < any.steps; ++t)
            for (int64_t round = 0; round < rounds; ++round) {
              const int64_t from = round ? border : 0, to = round ? width : border;
              const Real* g = gate(d) + (t * count + c) * rows * width + from;
              const Real* h = partner(call, runs[d], k, t, round != 0);
              Real* own = in + (item * width + from) * numbers;
              const Real beta = t ? 1 : 0;
              if (runs[d].sound) {
                blas::gemm(true, false, to - from, numbers, rows, Real(1.0), g, width, h, numbers,
                           beta, own, numbers);
              } else {
                spoilt_gemm(Flow::kLeft, true, false, to - from, numbers, rows, g, width, h,
                            numbers, beta, own, numbers);
              }
            }
        }
      });
      return;
    }
    const std::vector<int64_t> of = row_samples(call, any);
    const int64_t each = any.steps * rounds * rows;
    const Places places = place_rows(
        groups * each, groups, call.samples(), [&](int64_t r) { return r / each; },
        [&](int64_t r) { return of[r % rows]; });
    MatrixDims dims;
    dims.groups = groups;
    dims.positions = places.positions;
    dims.rows = width;
    dims.cols = numbers;
    const MatrixFactor factor = call.matrix(k, dims);
    for (int64_t r = 0; r < groups * each; ++r) {
      const int64_t d = r / each, round = r % each / (any.steps * rows);
      const int64_t t = r / rows % any.steps, b = r % rows;
      const int64_t from = round ? border : 0, to = round ? width : border;
      std::copy_n(partner(call, runs[d], k, t, round != 0) + b * numbers, numbers,
                  factor.h + places.slot[r] * numbers);
      for (int64_t c = 0; c < count; ++c) {
        Real* delta = factor.delta + (places.slot[r] * count + c) * width;
        if (rounds > 1) std::fill(delta, delta + width, Real(0.0));
        const Real* g = gate(d) + ((t * count + c) * rows + b) * width;
        std::copy(g + from, g + to, delta + from);
      }
    }
  }
};

void Recurrent::forward(TangentCall& call) const {
  std::string why;
  const std::unique_ptr<Cell> cell = cell_of(call.node(), why);
  const std::vector<Run> runs = forward_runs(call, *cell);
  const int64_t count = call.count();
  const auto directions = static_cast<int64_t>(runs.size());
  Real* out[3];
  for (int j = 0; j < 3; ++j) out[j] = call.wants(j) ? call.out(j) : nullptr;
  for (int64_t d = 0; d < directions; ++d) {
    const Run& run = runs[d];
    const int64_t cells = run.cells(), width = run.width(), block = run.rows * width;
    RunTangents tangents;
    if (const Real* r = call.in(2)) {
      tangents.recurrent = r + d * width * run.hidden;
      tangents.recurrent_step = call.input(2).size();
    }
    if (const Real* bias = call.in(3)) {
      tangents.bias = bias + d * 2 * width + width;
      tangents.bias_step = call.input(3).size();
    }
    Real* state[2] = {call.scratch(count * cells), call.scratch(count * cells)};
    for (int s = 0; s < 2; ++s) {
      const Real* from = call.in(5 + s);
      for (int64_t c = 0; c < count; ++c) {
        Real* own = state[s] + c * cells;
        if (from) {
          std::copy_n(from + (c * directions + d) * cells, cells, own);
        } else {
          std::fill(own, own + cells, Real(0.0));
        }
      }
    }
    Real* tx = call.scratch(count * block);
    for (int64_t s = 0; s < run.steps; ++s) {
      const int64_t t = run.time(s);
      fill_zero(tx, count * block);
      for (int64_t c = 0; c < count; ++c) {
        Real* own = tx + c * block;
        const Real* x = call.input(0).reals() + t * run.rows * run.inputs;
        const auto add = [&](Flow flow, const Real* a, const Real* b) {
          if (run.sound) {
            blas::gemm(false, true, run.rows, width, run.inputs, Real(1.0), a, run.inputs, b,
                       run.inputs, Real(1.0), own, width);
          } else {
            spoilt_gemm(flow, false, true, run.rows, width, run.inputs, a, run.inputs, b,
                        run.inputs, 1, own, width);
          }
        };
        if (const Real* in = call.in(0))
          add(Flow::kLeft, in + (c * run.steps + t) * run.rows * run.inputs, run.weight);
        if (const Real* w = call.in(1))
          add(Flow::kRight, x, w + (c * directions + d) * width * run.inputs);
        if (const Real* bias = call.in(3))
          for (int64_t e = 0; e < block; ++e)
            own[e] += bias[c * call.input(3).size() + d * 2 * width + e % width];
      }
      cell->ahead(run, tangents, s, count, tx, state[0], state[1]);
      for (int64_t c = 0; out[0] && c < count; ++c)
        std::copy_n(state[0] + c * cells, cells,
                    out[0] + ((c * run.steps + t) * directions + d) * cells);
    }
    for (int s = 0; s < 2; ++s)
      for (int64_t c = 0; out[1 + s] && c < count; ++c)
        std::copy_n(state[s] + c * cells, cells, out[1 + s] + (c * directions + d) * cells);
  }
}

const Registration rows[] = {
    {"LSTM", std::make_unique<Recurrent>(), device_recurrent()},
    {"GRU", std::make_unique<Recurrent>(), device_recurrent()},
    {"RNN", std::make_unique<Recurrent>(), device_recurrent()},
};

}  // namespace
}  // namespace AT_PRECISION
}  // namespace at
