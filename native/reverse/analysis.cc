#include "reverse/analysis.h"

#include <set>

#include "core/error.h"
#include "rules/rule.h"

namespace at {
inline namespace AT_PRECISION {

namespace {

void check(const Graph& graph, const std::vector<int>& candidates, int output) {
  const int count = static_cast<int>(graph.values.size());
  const auto valid = [&](int id) { return id >= 0 && id < count; };
  for (const Node& node : graph.nodes) {
    for (int id : node.inputs)
      if (id != -1 && !valid(id)) throw Error("BAD_FILE", "Node " + node.name + " reads no value");
    for (int id : node.outputs)
      if (id != -1 && !valid(id)) throw Error("BAD_FILE", "Node " + node.name + " makes no value");
  }
  for (int id : candidates)
    if (!valid(id)) throw Error("BAD_ARGUMENT", "A parameter candidate is not a value");
  if (!valid(output)) throw Error("BAD_ARGUMENT", "The output is not a value");
}

// Do derivatives flow into input k?
bool flows(const Node& node, int k) { return !node.rule || node.rule->differentiable(node, k); }

std::vector<bool> reached_from_inputs(const Graph& graph) {
  std::vector<bool> produced(graph.values.size(), false), reached(graph.values.size(), false);
  for (const Node& node : graph.nodes)
    for (int id : node.outputs)
      if (id >= 0) produced[id] = true;
  for (size_t id = 0; id < graph.values.size(); ++id)
    reached[id] = !produced[id] && !graph.values[id].has_static_shape;
  for (const Node& node : graph.nodes) {
    bool any = false;
    for (int id : node.inputs) any = any || (id >= 0 && reached[id]);
    if (!any) continue;
    for (int id : node.outputs)
      if (id >= 0) reached[id] = true;
  }
  return reached;
}

// The values that a node's rule reads.
void add_needs(const Node& node, const Needs& needs, std::set<int>& taps) {
  for (int k : needs.inputs)
    if (k < static_cast<int>(node.inputs.size()) && node.inputs[k] >= 0)
      taps.insert(node.inputs[k]);
  for (int j : needs.outputs)
    if (j < static_cast<int>(node.outputs.size()) && node.outputs[j] >= 0)
      taps.insert(node.outputs[j]);
}

// The active values that no refused node lies before.
std::vector<int> unobstructed(const std::vector<Node>& nodes, const std::vector<bool>& on_tape,
                              const std::vector<bool>& refused, const Tape& tape) {
  std::vector<bool> obstructed(tape.values.size(), false);
  std::vector<int> clear;
  for (size_t index = 0; index < nodes.size(); ++index) {
    if (!on_tape[index]) continue;
    const Node& node = nodes[index];
    bool any = refused[index];
    for (size_t k = 0; k < node.inputs.size() && !any; ++k) {
      const int id = node.inputs[k];
      any = id >= 0 && obstructed[id] && flows(node, static_cast<int>(k));
    }
    for (int id : node.outputs) {
      if (id < 0) continue;
      obstructed[id] = any;
      if (!any && tape.values[id].active) clear.push_back(id);
    }
  }
  return clear;
}

// In place of what a Sigmoid gives its input is read.
void derive(Analysis& analysis, const Node& node, std::set<int>& taps, std::set<int>& forward_taps,
            std::set<int>& shapes) {
  const int id = node.outputs[0], from = node.inputs[0];
  if (id < 0 || from < 0) return;
  const bool in_reverse = taps.erase(id) > 0, forward = forward_taps.erase(id) > 0;
  if (!in_reverse && !forward) return;
  if (in_reverse) taps.insert(from);
  if (forward) forward_taps.insert(from);
  shapes.insert(id);
  analysis.derived.push_back({id, from});
}

}  // namespace

Analysis analyse(const Graph& graph, const std::vector<int>& candidates, int output) {
  check(graph, candidates, output);
  const size_t value_count = graph.values.size();
  std::vector<bool> candidate(value_count, false);
  for (int id : candidates) candidate[id] = true;

  std::vector<Node> nodes = graph.nodes;
  std::vector<bool> active = candidate;
  for (Node& node : nodes) {
    node.rule = find_rule(node.domain, node.op);
    bool any = false;
    for (size_t k = 0; k < node.inputs.size(); ++k)
      any = any ||
            (node.inputs[k] >= 0 && active[node.inputs[k]] && flows(node, static_cast<int>(k)));
    if (!any) continue;
    for (int id : node.outputs)
      if (id >= 0) active[id] = true;
  }

  std::vector<bool> needed(value_count, false), on_tape(nodes.size(), false);
  needed[output] = active[output];
  for (size_t index = nodes.size(); index-- > 0;) {
    const Node& node = nodes[index];
    for (int id : node.outputs)
      on_tape[index] = on_tape[index] || (id >= 0 && needed[id] && !candidate[id]);
    if (!on_tape[index]) continue;
    for (size_t k = 0; k < node.inputs.size(); ++k) {
      const int id = node.inputs[k];
      if (id >= 0 && active[id] && flows(node, static_cast<int>(k))) needed[id] = true;
    }
  }

  Analysis result;
  result.depends_on_input = reached_from_inputs(graph);
  Tape& tape = result.tape;
  tape.values = graph.values;
  tape.output = output;
  for (size_t id = 0; id < value_count; ++id) {
    tape.values[id].active = needed[id] && active[id];
    tape.values[id].parameter = -1;
  }
  for (int id : candidates) {
    if (!needed[id] || tape.values[id].parameter >= 0) continue;
    tape.values[id].parameter = static_cast<int>(tape.parameters.size());
    tape.parameters.push_back(id);
  }

  std::set<int> taps, forward_taps, shapes{output};
  std::vector<bool> refused(nodes.size(), false);
  shapes.insert(tape.parameters.begin(), tape.parameters.end());
  for (size_t index = 0; index < nodes.size(); ++index) {
    if (!on_tape[index]) continue;
    const Node& node = nodes[index];
    result.nodes.push_back(static_cast<int>(index));
    if (!node.rule) {
      refused[index] = true;
      result.refusals.push_back({node.name, node.op, "the operator has no derivative rule here",
                                 "freeze what lies before it, or replace it by supported "
                                 "operators"});
      continue;
    }
    if (auto refusal = node.rule->refuse(node, tape)) {
      refused[index] = true;
      result.refusals.push_back({node.name, node.op, refusal->why, refusal->remedy});
      continue;
    }
    std::vector<bool> wanted(node.inputs.size());
    for (size_t k = 0; k < node.inputs.size(); ++k) {
      const int id = node.inputs[k];
      wanted[k] = id >= 0 && tape.values[id].active && flows(node, static_cast<int>(k));
      if (id >= 0) shapes.insert(id);
    }
    for (int id : node.outputs)
      if (id >= 0) shapes.insert(id);
    add_needs(node, node.rule->needs(node, wanted), taps);
    add_needs(node, node.rule->forward_needs(node, wanted), forward_taps);
    tape.nodes.push_back(node);
  }
  for (const Node& node : nodes)
    if (node.op == "Sigmoid" && node.domain.empty() && node.inputs.size() == 1)
      derive(result, node, taps, forward_taps, shapes);
  shapes.insert(taps.begin(), taps.end());
  shapes.insert(forward_taps.begin(), forward_taps.end());
  result.differentiable = unobstructed(nodes, on_tape, refused, tape);
  result.taps.assign(taps.begin(), taps.end());
  result.forward_taps.assign(forward_taps.begin(), forward_taps.end());
  result.shapes.assign(shapes.begin(), shapes.end());
  return result;
}

std::vector<std::string> constant_roles(const Graph& graph, const std::vector<int>& ids) {
  const size_t count = graph.values.size();
  std::vector<std::string> role(count);
  std::vector<bool> ordinary(count, false);
  for (Node node : graph.nodes) {
    node.rule = find_rule(node.domain, node.op);
    for (size_t k = 0; k < node.inputs.size(); ++k) {
      const int id = node.inputs[k], place = static_cast<int>(k);
      if (id < 0 || static_cast<size_t>(id) >= count || !flows(node, place)) continue;
      const char* own = node.rule ? node.rule->constant_role(node, place) : nullptr;
      if (!own) {
        ordinary[id] = true;
      } else if (role[id].empty()) {
        role[id] = own;
      }
    }
  }
  std::vector<std::string> result;
  for (int id : ids) {
    if (id < 0 || static_cast<size_t>(id) >= count)
      throw Error("BAD_ARGUMENT", "A parameter candidate is not a value");
    result.push_back(ordinary[id] ? "" : role[id]);
  }
  return result;
}

}  // namespace AT_PRECISION
}  // namespace at
