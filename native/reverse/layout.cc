#include "reverse/layout.h"

#include "core/error.h"
#include "rules/rule.h"

namespace at {
inline namespace AT_PRECISION {

namespace {
int64_t after(const Shape& shape, size_t axis) {
  return count_between(shape, axis + 1, shape.size());
}
}  // namespace

std::optional<BatchLayout::Mixing> BatchLayout::place(const Analysis& analysis,
                                                      const Node* producer, int id,
                                                      const ShapeRun& a, const ShapeRun& b) {
  const std::string who = producer ? producer->name : analysis.tape.values[id].name;
  const Shape& sa = a.shapes[id];
  const Shape& sb = b.shapes[id];
  Place& place = places_[id];
  place.known = true;
  if (sa.size() != sb.size()) return Mixing{who, "its rank changes with the number of samples"};
  int changed = 0;
  for (size_t axis = 0; axis < sa.size(); ++axis) {
    if (sa[axis] == sb[axis]) continue;
    ++changed;
    place.axis = axis;
  }
  if (changed == 0) return std::nullopt;
  if (changed > 1) return Mixing{who, "more than one of its axes grows with the samples"};
  place.batched = true;
  const int64_t da = sa[place.axis], db = sb[place.axis];
  if (da % a.samples != 0 || db % b.samples != 0 || da / a.samples != db / b.samples) {
    return Mixing{who, "its axis " + std::to_string(place.axis) +
                           " is not a multiple of the number of samples"};
  }
  const int64_t multiple = da / a.samples;

  // A value in the order of its input keeps the samples where they were; if they would not be
  // where the growing axis says, the node reshapes across the batch.
  if (producer && producer->rule && producer->rule->keeps_order(*producer)) {
    const int from = producer->inputs.empty() ? -1 : producer->inputs[0];
    if (from >= 0 && places_[from].known && places_[from].batched) {
      const int64_t stride = batch_stride(from, a.shapes[from], a.samples);
      const int64_t rest = after(sa, place.axis);
      const bool fits = rest > 0 && stride % rest == 0 && multiple % (stride / rest) == 0;
      if (!fits ||
          batch_stride(from, b.shapes[from], b.samples) != stride / rest * after(sb, place.axis)) {
        return Mixing{who, "it reshapes across the batch"};
      }
      place.inner = stride / rest;
      return std::nullopt;
    }
  }
  if (multiple == 1) return std::nullopt;
  // The batch is merged with another axis: it lies as in an input that has the same axis.
  bool found = false;
  if (producer) {
    for (int from : producer->inputs) {
      if (from < 0 || !places_[from].known || !places_[from].batched) continue;
      if (a.shapes[from][places_[from].axis] != da) continue;
      if (found && places_[from].inner != place.inner)
        return Mixing{who, "its inputs hold the samples in different order"};
      place.inner = places_[from].inner;
      found = true;
    }
  }
  if (!found) return Mixing{who, "the samples cannot be distinguished in its output"};
  return std::nullopt;
}

std::optional<BatchLayout::Mixing> BatchLayout::infer(const Analysis& analysis,
                                                      const ShapeRun& first,
                                                      const ShapeRun* second) {
  const Tape& tape = analysis.tape;
  places_.assign(tape.values.size(), Place());
  if (!second) {
    if (first.samples != 1) {
      throw Error("BAD_ARGUMENT", "One run tells the layout only if it has one sample");
    }
    for (size_t id = 0; id < places_.size(); ++id) {
      places_[id].known = first.known[id];
      places_[id].batched = places_[id].whole = analysis.depends_on_input[id];
    }
    return constant_output(tape);
  }
  std::vector<const Node*> producer(tape.values.size(), nullptr);
  for (const Node& node : tape.nodes)
    for (int id : node.outputs)
      if (id >= 0) producer[id] = &node;
  const auto known = [&](int id) { return first.known[id] && second->known[id]; };
  // What comes into the tape first, then its nodes in order, so that inputs are placed before
  // outputs.
  for (size_t id = 0; id < places_.size(); ++id) {
    if (producer[id] || !known(static_cast<int>(id))) continue;
    if (auto mixing = place(analysis, nullptr, static_cast<int>(id), first, *second)) return mixing;
  }
  for (const Node& node : tape.nodes) {
    for (int id : node.outputs) {
      if (id < 0 || !known(id)) continue;
      if (auto mixing = place(analysis, &node, id, first, *second)) return mixing;
    }
    for (int id : node.outputs) {
      if (id < 0 || places_[id].batched || !places_[id].known) continue;
      for (int from : node.inputs) {
        if (from >= 0 && places_[from].batched && tape.values[id].active &&
            tape.values[from].active)
          return Mixing{node.name, "its output no longer tells the samples apart"};
      }
    }
  }
  return constant_output(tape);
}

std::optional<BatchLayout::Mixing> BatchLayout::constant_output(const Tape& tape) const {
  if (places_[tape.output].batched) return std::nullopt;
  return Mixing{tape.values[tape.output].name, "the output does not depend on the sample"};
}

int64_t BatchLayout::batch_stride(int id, const Shape& shape, int64_t samples) const {
  const Place& place = places_[id];
  if (!place.batched) return 0;
  if (place.whole) {
    const int64_t size = element_count(shape);
    return size > 0 ? size : 1;
  }
  if (place.axis >= shape.size() || shape[place.axis] % (samples * place.inner) != 0) {
    throw Error("BAD_INPUT", "A value has the shape " + describe(shape) +
                                 ", which does not fit a batch of " + std::to_string(samples));
  }
  return place.inner * after(shape, place.axis);
}

}  // namespace AT_PRECISION
}  // namespace at
