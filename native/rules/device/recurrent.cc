#include "rules/device/recurrent.h"

#include "device/functions/arrange.h"
#include "device/functions/cells.h"
#include "device/functions/fill.h"
#include "rules/device/flow.h"
#include "rules/device/packed.h"
#include "rules/support/batch.h"
#include "rules/support/finite.h"
#include "rules/support/pack.h"

namespace at {
inline namespace AT_PRECISION {
namespace {

// See rules/recurrent/layer.cc for the shapes.
struct Layer {
  device::Cell cell;
  int64_t steps, rows, inputs, hidden, directions, gates, width, cells;
  bool first_backwards;

  explicit Layer(const NodeView& view) {
    const Node& node = view.node();
    const auto names = node.attributes.texts("activations");
    const bool relu = !names.empty() && (names[0][0] == 'R' || names[0][0] == 'r');
    cell = node.op == "LSTM"  ? device::Cell::kLstm
           : node.op == "GRU" ? device::Cell::kGru
           : relu             ? device::Cell::kRelu
                              : device::Cell::kTanh;
    const Shape& x = view.input(0).shape;
    steps = x[0], rows = x[1], inputs = x[2];
    hidden = view.input(2).shape[2];
    directions = view.input(1).shape[0];
    gates = cell == device::Cell::kLstm ? 4 : cell == device::Cell::kGru ? 3 : 1;
    width = gates * hidden;
    cells = rows * hidden;
    first_backwards = node.attributes.text("direction", "forward") == "reverse";
  }
  // The time of a step of direction d, and the step of a time.
  int64_t time(int64_t d, int64_t step) const {
    return first_backwards || d == 1 ? steps - 1 - step : step;
  }
  // Where in Run::state and Run::memory the state before a step is.
  int64_t before(int64_t d, int64_t step) const { return (d * (steps + 1) + step) * cells; }
};

// What the forward run of all directions leaves behind.
struct Run {
  DeviceNumbers state, memory;            // (D, steps + 1, B, H)
  DeviceNumbers gate, slope, rest, kept;  // (D, steps, B, …)
};

// Where the samples lie among the rows: (outer, samples, inner); false: nowhere.
bool find_rows(const Call& view, const Layer& layer, int64_t& inner) {
  int j = 0;
  while (view.output(j).shape.empty() && j < 2) ++j;
  const int64_t stride = view.output(j).batch_stride;
  inner = stride / layer.hidden;
  return stride % layer.hidden == 0 && inner > 0 && layer.rows % (inner * view.samples()) == 0;
}

// With so many cotangents or tangents.
bool serves(const NodeView& view, int64_t count) {
  const Node& node = view.node();
  // A reset before the recurrent weights is left to the host.
  if (node.op == "GRU" && node.attributes.integer("linear_before_reset", 0) == 0) return false;
  for (int k : {0, 1, 2, 3, 5, 6})
    if (view.has_input(k) && !all_finite(view.input(k).reals(), view.input(k).size())) return false;
  const Layer layer(view);
  const double most = static_cast<double>(layer.directions * layer.steps * count) *
                      static_cast<double>(layer.rows * layer.width);
  return layer.steps > 0 && layer.cells > 0 && layer.inputs > 0 && most < INT32_MAX &&
         view.input(0).size() < INT32_MAX;
}

class Recurrent final : public DeviceRule {
 public:
  bool fits(const Call& view) const override {
    if (!serves(view, view.count())) return false;
    for (int k : {0, 5, 6})
      if (view.has_input(k) && view.wants(k) && !is_plain(view, k)) return false;
    int64_t inner;
    return view.samples() == 1 || find_rows(view, Layer(view), inner);
  }

  bool forward(DeviceTangentCall& call) const override {
    const TangentCall& view = call.view();
    if (!serves(view, view.count())) return false;
    const Layer layer(view);
    const Run run = run_of(call, layer);
    device::Pointer<Real> out[3];
    for (int j = 0; j < 3; ++j)
      if (view.wants(j)) out[j] = call.out(j);
    for (int64_t d = 0; d < layer.directions; ++d) ahead(call, layer, run, d, out);
    return true;
  }
  void reverse(DeviceCall& call) const override {
    const Call& view = call.view();
    const Layer layer(view);
    const Run run = run_of(call, layer);
    const int64_t block = view.count() * layer.rows * layer.width;
    const DeviceNumbers dx = call.stream().take<Real>(layer.directions * layer.steps * block);
    const DeviceNumbers dr = call.stream().take<Real>(layer.directions * layer.steps * block);
    device::Pointer<Real> first[2];
    for (int s = 0; s < 2; ++s)
      if (view.wants(5 + s)) first[s] = call.in(5 + s);
    for (int64_t d = 0; d < layer.directions; ++d) back(call, layer, run, d, dx, dr, first);
    if (view.wants(0)) input(call, layer, dx);
    if (view.wants(3)) bias(call, layer, dx, dr);
    if (view.wants(1)) weight(call, layer, run, dx, 1);
    if (view.wants(2)) weight(call, layer, run, dr, 2);
  }

 private:
  static Run run_of(DeviceNode& call, const Layer& layer) {
    device::Stream& stream = call.stream();
    const int64_t D = layer.directions, steps = layer.steps, cells = layer.cells;
    const int64_t block = layer.rows * layer.width;
    Run run;
    run.state = stream.take<Real>(D * (steps + 1) * cells);
    run.gate = stream.take<Real>(D * steps * block);
    run.slope = stream.take<Real>(D * steps * block);
    run.rest = stream.take<Real>(D * steps * cells);
    run.kept = stream.take<Real>(D * steps * cells);
    const bool memory = layer.cell == device::Cell::kLstm;
    if (memory) run.memory = stream.take<Real>(D * (steps + 1) * cells);
    const DeviceNumbers x = call.input(0), weights = call.input(1), recurrent = call.input(2);
    const DeviceNumbers biases = call.view().has_input(3) ? call.input(3) : DeviceNumbers();
    const DeviceNumbers part = stream.take<Real>(steps * block);
    const DeviceNumbers own = stream.take<Real>(block);
    for (int64_t d = 0; d < D; ++d) {
      start(call, layer, d, 5, run.state);
      if (memory) start(call, layer, d, 6, run.memory);
      device::Product<Real> p;
      p.trans_b = true;
      p.m = steps * layer.rows, p.n = layer.width, p.k = layer.inputs;
      p.a = x.at(), p.lda = layer.inputs;
      p.b = weights.at(d * layer.width * layer.inputs), p.ldb = layer.inputs;
      p.c = part.at(), p.ldc = layer.width;
      stream.multiply(p);
      p.m = layer.rows, p.k = layer.hidden;
      p.lda = p.ldb = layer.hidden;
      p.b = recurrent.at(d * layer.width * layer.hidden);
      p.c = own.at();
      for (int64_t s = 0; s < steps; ++s) {
        call.view().control().poll();
        const int64_t before = layer.before(d, s), at = d * steps + s;
        p.a = run.state.at(before);
        stream.multiply(p);
        device::CellStep<Real> f{};
        f.cell = layer.cell;
        f.hidden = layer.hidden, f.width = layer.width;
        f.x = part.at(layer.time(d, s) * block);
        f.recurrent = own.at();
        if (biases) f.bias = biases.at(d * 2 * layer.width);
        f.h0 = run.state.at(before), f.h1 = run.state.at(before + cells);
        if (memory) f.c0 = run.memory.at(before), f.c1 = run.memory.at(before + cells);
        f.gate = run.gate.at(at * block), f.slope = run.slope.at(at * block);
        f.rest = run.rest.at(at * cells), f.kept = run.kept.at(at * cells);
        device::for_rows(stream, layer.rows, layer.hidden, f);
      }
    }
    return run;
  }

  // The initial state, 0 where it is not given.
  static void start(DeviceNode& call, const Layer& layer, int64_t d, int k,
                    const DeviceNumbers& states) {
    const int64_t cells = layer.cells, to = layer.before(d, 0);
    if (!call.view().has_input(k))
      return device::for_rows(call.stream(), 1, cells, device::Fill<Real>{states.at(to), cells, 0});
    const DeviceNumbers from = call.input(k);
    copy_strided(call.stream(), {cells}, {1}, from.at(d * cells), {1}, states.at(to));
  }

  // A state (count, B, H) of direction d as `given` (count, D, B, H) has it, 0 where that is none.
  static DeviceNumbers begun(device::Stream& stream, const Layer& layer, int64_t count, int64_t d,
                             const DeviceNumbers& given) {
    const int64_t cells = layer.cells, across = layer.directions * cells;
    const DeviceNumbers state = stream.take<Real>(count * cells);
    if (given)
      copy_strided(stream, {count, cells}, {across, 1}, given.at(d * cells), {cells, 1},
                   state.at());
    else
      device::for_rows(stream, count, cells, device::Fill<Real>{state.at(), cells, 0});
    return state;
  }

  // The tangents of the gates' input part of direction d without biases, (count, steps, B, g·H);
  // none where nothing flows there.
  static DeviceNumbers input_ahead(DeviceTangentCall& call, const Layer& layer, int64_t d) {
    if (!call.has_in(0) && !call.has_in(1)) return {};
    const int64_t count = call.view().count(), rows = layer.steps * layer.rows;
    const DeviceNumbers made = call.stream().take<Real>(count * rows * layer.width);
    const int64_t weight = d * layer.width * layer.inputs;
    device::Product<Real> p;
    p.trans_b = true;
    p.n = p.ldc = layer.width, p.k = p.lda = p.ldb = layer.inputs;
    p.c = made.at();
    if (call.has_in(0)) {
      p.m = count * rows;
      p.a = call.in(0).at();
      p.b = call.input(1).at(weight);
      call.stream().multiply(p);
      p.beta = 1;
    }
    if (call.has_in(1)) {
      p.m = rows, p.batch = count;
      p.a = call.input(0).at();
      p.b = call.in(1).at(weight), p.step_b = call.view().input(1).size();
      p.step_c = rows * layer.width;
      call.stream().multiply(p);
    }
    return made;
  }

  // What passes read of step s of direction d, in a CellAhead or a CellBack.
  template <class Pass>
  static void set_run(Pass& f, const Layer& layer, const Run& run, int64_t d, int64_t s) {
    const int64_t at = d * layer.steps + s, before = layer.before(d, s);
    const int64_t cells = layer.cells, block = layer.rows * layer.width;
    f.cell = layer.cell;
    f.rows = layer.rows, f.hidden = layer.hidden, f.width = layer.width;
    f.gate = run.gate.at(at * block), f.slope = run.slope.at(at * block);
    f.rest = run.rest.at(at * cells), f.kept = run.kept.at(at * cells);
    f.h0 = run.state.at(before);
    if (run.memory) f.c0 = run.memory.at(before);
  }

  // A state (count, B, H) as direction d of `to` (count, D, B, H) where that is wanted.
  static void ended(device::Stream& stream, const Layer& layer, int64_t count, int64_t d,
                    const DeviceNumbers& state, const device::Pointer<Real>& to) {
    const int64_t cells = layer.cells, across = layer.directions * cells;
    if (to.address())
      copy_strided(stream, {count, cells}, {cells, 1}, state.at(), {across, 1}, to + d * cells);
  }

  // The steps of direction d from the first to the last.
  static void ahead(DeviceTangentCall& call, const Layer& layer, const Run& run, int64_t d,
                    const device::Pointer<Real> out[3]) {
    device::Stream& stream = call.stream();
    const int64_t count = call.view().count(), cells = layer.cells, steps = layer.steps;
    const int64_t across = layer.directions * cells, block = layer.rows * layer.width;
    const int64_t weight = d * layer.width * layer.hidden;
    const DeviceNumbers x = input_ahead(call, layer, d);
    const DeviceNumbers recurrent = call.input(2), part = stream.take<Real>(count * block);
    DeviceNumbers state[2];
    for (int s = 0; s < 2; ++s)
      state[s] =
          begun(stream, layer, count, d, call.has_in(5 + s) ? call.in(5 + s) : DeviceNumbers());
    device::Product<Real> p;
    p.trans_b = true;
    p.n = p.ldc = layer.width, p.k = p.lda = p.ldb = layer.hidden;
    p.c = part.at();
    device::Product<Real> turned = p;
    p.m = count * layer.rows;
    p.a = state[0].at(), p.b = recurrent.at(weight);
    turned.m = layer.rows, turned.batch = count, turned.beta = 1;
    if (call.has_in(2)) turned.b = call.in(2).at(weight);
    turned.step_b = call.view().input(2).size(), turned.step_c = block;
    for (int64_t s = 0; s < steps; ++s) {
      call.view().control().poll();
      const int64_t t = layer.time(d, s);
      stream.multiply(p);
      if (call.has_in(2)) {
        turned.a = run.state.at(layer.before(d, s));
        stream.multiply(turned);
      }
      device::CellAhead<Real> f{};
      set_run(f, layer, run, d, s);
      if (x) f.x = x.at(t * block);
      f.x_step = steps * block;
      f.recurrent = part.at();
      if (call.has_in(3)) f.bias = call.in(3).at(d * 2 * layer.width);
      f.bias_step = layer.directions * 2 * layer.width;
      f.th = state[0].at(), f.tc = state[1].at();
      if (out[0].address()) f.y = out[0] + (t * across + d * cells);
      f.y_step = steps * across;
      device::for_rows(stream, count * layer.rows, layer.hidden, f);
    }
    for (int s = 0; s < 2; ++s) ended(stream, layer, count, d, state[s], out[1 + s]);
  }

  // Undoes the steps of direction d from the last to the first.
  static void back(DeviceCall& call, const Layer& layer, const Run& run, int64_t d,
                   const DeviceNumbers& dx, const DeviceNumbers& dr,
                   const device::Pointer<Real> first[2]) {
    device::Stream& stream = call.stream();
    const int64_t count = call.view().count(), cells = layer.cells, steps = layer.steps;
    const int64_t across = layer.directions * cells, block = layer.rows * layer.width;
    const DeviceNumbers recurrent = call.input(2);
    DeviceNumbers state[2];
    for (int s = 0; s < 2; ++s) {
      const bool there = 1 + s < static_cast<int>(call.view().node().outputs.size());
      state[s] = begun(stream, layer, count, d, there ? call.out(1 + s) : DeviceNumbers());
    }
    device::Product<Real> p;
    p.m = count * layer.rows, p.n = layer.hidden, p.k = layer.width;
    p.lda = layer.width, p.ldb = p.ldc = layer.hidden;
    p.b = recurrent.at(d * layer.width * layer.hidden);
    p.c = state[0].at();
    p.beta = 1;
    for (int64_t s = steps; s-- > 0;) {
      call.view().control().poll();
      const int64_t t = layer.time(d, s), to = (d * steps + t) * count * block;
      device::CellBack<Real> f{};
      set_run(f, layer, run, d, s);
      if (call.out(0)) f.y = call.out(0).at(t * across + d * cells);
      f.y_step = steps * across;
      f.dh = state[0].at(), f.dc = state[1].at();
      f.dx = dx.at(to), f.dr = dr.at(to);
      device::for_rows(stream, count * layer.rows, layer.hidden, f);
      p.a = dr.at(to);
      stream.multiply(p);
    }
    for (int s = 0; s < 2; ++s) ended(stream, layer, count, d, state[s], first[s]);
  }

  // X's cotangent (count, steps, B, I), of all directions together.
  static void input(DeviceCall& call, const Layer& layer, const DeviceNumbers& dx) {
    const int64_t count = call.view().count(), line = layer.rows * layer.inputs;
    const DeviceNumbers weights = call.input(1);
    const DeviceNumbers made = call.stream().take<Real>(layer.steps * count * line);
    device::Product<Real> p;
    p.m = layer.steps * count * layer.rows, p.n = layer.inputs, p.k = layer.width;
    p.lda = layer.width, p.ldb = p.ldc = layer.inputs;
    p.c = made.at();
    for (int64_t d = 0; d < layer.directions; ++d) {
      p.a = dx.at(d * p.m * layer.width);
      p.b = weights.at(d * layer.width * layer.inputs);
      p.beta = d > 0 ? 1 : 0;
      call.stream().multiply(p);
    }
    device::for_rows(call.stream(), layer.steps * count, line,
                     device::SwapAxes<Real>{made.at(), call.in(0), layer.steps, count, line});
  }

  // (count, n, D, 2·g·H): sums over the times and the rows of a sample.
  static void bias(DeviceCall& call, const Layer& layer, const DeviceNumbers& dx,
                   const DeviceNumbers& dr) {
    const Call& view = call.view();
    const int64_t samples = view.per_sample(3) ? view.samples() : 1, width = layer.width;
    const int64_t count = view.count(), size = view.input(3).size(), block = layer.rows * width;
    int64_t inner = 1;
    if (samples > 1) find_rows(view, layer, inner);
    const device::Pointer<Real> in = call.in(3);
    const auto steps_of = [](int64_t from, int64_t to) {
      device::Steps steps{};
      steps[device::kFrom] = from;
      steps[device::kTo] = to;
      return steps;
    };
    for (int64_t d = 0; d < layer.directions; ++d) {
      for (int half = 0; half < 2; ++half) {
        device::Flow<Real, device::Constant<Real>> f;
        f.from = (half == 0 ? dx : dr).at(d * layer.steps * count * block);
        f.to = in + (2 * d + half) * width;
        f.op = {1};
        device::Walk walk;
        walk.keep(count, steps_of(block, samples * size));
        walk.keep(samples, steps_of(inner * width, size));
        walk.keep(width, steps_of(1, 1));
        walk.sum(layer.steps, steps_of(count * block, 0));
        walk.sum(layer.rows / (samples * inner), steps_of(samples * inner * width, 0));
        walk.sum(inner, steps_of(width, 0));
        walk.run(call.stream(), f);
      }
    }
  }

  // W's (k = 1) or R's (k = 2), from the gates' cotangents (D, steps, count, B, g·H).
  static void weight(DeviceCall& call, const Layer& layer, const Run& run,
                     const DeviceNumbers& gates, int k) {
    const Call& view = call.view();
    const int64_t count = view.count(), rows = layer.rows, steps = layer.steps;
    const int64_t numbers = k == 1 ? layer.inputs : layer.hidden, block = rows * layer.width;
    const DeviceNumbers partner = k == 1 ? call.input(0) : run.state;
    // Where what multiplies the gates' cotangents of a time begins.
    const auto begin = [&](int64_t d, int64_t t) {
      return k == 1 ? t * rows * numbers : (d * (steps + 1) + layer.time(d, t)) * rows * numbers;
    };
    if (!view.per_sample(k)) {
      device::Product<Real> p;
      p.trans_a = true;
      p.m = layer.width, p.n = numbers, p.k = rows;
      p.lda = layer.width, p.ldb = p.ldc = numbers;
      p.batch = count;
      p.step_a = block, p.step_c = layer.directions * layer.width * numbers;
      const device::Pointer<Real> in = call.in(k);
      for (int64_t d = 0; d < layer.directions; ++d)
        for (int64_t t = 0; t < steps; ++t) {
          p.a = gates.at((d * steps + t) * count * block);
          p.b = partner.at(begin(d, t));
          p.c = in + d * layer.width * numbers;
          p.beta = t > 0 ? 1 : 0;
          call.stream().multiply(p);
        }
      return;
    }
    int64_t inner = 1;
    if (view.samples() > 1) find_rows(view, layer, inner);
    const int64_t each = steps * rows;
    const Places places = place_rows(
        layer.directions * each, layer.directions, view.samples(),
        [&](int64_t r) { return r / each; },
        [&](int64_t r) { return r % rows / inner % view.samples(); });
    RowPlaces delta, h;
    delta.begin.resize(places.slot.size());
    h.begin.resize(places.slot.size());
    for (size_t r = 0; r < places.slot.size(); ++r) {
      const auto row = static_cast<int64_t>(r);
      const int64_t d = row / each, t = row / rows % steps, b = row % rows;
      const auto slot = static_cast<size_t>(places.slot[r]);
      delta.begin[slot] = static_cast<int32_t>((d * steps + t) * count * block + b * layer.width);
      h.begin[slot] = static_cast<int32_t>(begin(d, t) + b * numbers);
    }
    MatrixDims dims;
    dims.groups = layer.directions;
    dims.positions = places.positions;
    dims.rows = layer.width;
    dims.cols = numbers;
    call.matrix(k, dims, packed(call, gates, count, block, layer.width, delta),
                packed(call, partner, 1, partner.size(), numbers, h));
  }
};

}  // namespace

DeviceHalf device_recurrent() { return std::make_shared<Recurrent>(); }

}  // namespace AT_PRECISION
}  // namespace at
