#include "reverse/analysis.h"

#include <algorithm>
#include <memory>
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

// One analysis, stage by stage.
class Analyser {
 public:
  Analyser(const Graph& graph, const std::vector<int>& candidates, int output)
      : nodes_(graph.nodes),
        candidates_(candidates),
        candidate_(graph.values.size(), false),
        active_(graph.values.size(), false),
        needed_(graph.values.size(), false),
        on_tape_(nodes_.size(), false),
        refused_(nodes_.size(), false),
        shapes_{output} {
    tape().values = graph.values;
    tape().output = output;
    result_.depends_on_input = reached_from_inputs(graph);
  }

  Analysis run() {
    for (int id : candidates_) candidate_[id] = true;
    find_active();
    find_needed();
    choose_parameters();
    for (size_t index = 0; index < nodes_.size(); ++index)
      if (on_tape_[index]) visit(index);
    derive();
    shapes_.insert(taps_.begin(), taps_.end());
    shapes_.insert(forward_taps_.begin(), forward_taps_.end());
    result_.differentiable = unobstructed();
    result_.taps.assign(taps_.begin(), taps_.end());
    result_.forward_taps.assign(forward_taps_.begin(), forward_taps_.end());
    result_.shapes.assign(shapes_.begin(), shapes_.end());
    return std::move(result_);
  }

 private:
  Tape& tape() { return result_.tape; }

  // For every input of a node that `marked` holds and into which derivatives flow.
  template <class Body>
  static void each_flowing(const Node& node, const std::vector<bool>& marked, const Body& body) {
    for (size_t k = 0; k < node.inputs.size(); ++k) {
      const int id = node.inputs[k];
      if (id >= 0 && marked[id] && flows(node, static_cast<int>(k))) body(k, id);
    }
  }

  // Values with a derivative by some candidate.
  void find_active() {
    active_ = candidate_;
    for (Node& node : nodes_) {
      node.rule = find_rule(node.domain, node.op);
      bool any = false;
      each_flowing(node, active_, [&](size_t, int) { any = true; });
      if (any) mark(node.outputs, active_);
    }
  }

  // Those that the output's derivative goes through, and the nodes that make them.
  void find_needed() {
    needed_[tape().output] = active_[tape().output];
    for (size_t index = nodes_.size(); index-- > 0;) {
      const Node& node = nodes_[index];
      on_tape_[index] = std::any_of(node.outputs.begin(), node.outputs.end(), [&](int id) {
        return id >= 0 && needed_[id] && !candidate_[id];
      });
      if (!on_tape_[index]) continue;
      each_flowing(node, active_, [&](size_t, int id) { needed_[id] = true; });
    }
  }

  void choose_parameters() {
    for (size_t id = 0; id < active_.size(); ++id) {
      tape().values[id].active = needed_[id] && active_[id];
      tape().values[id].parameter = -1;
    }
    for (int id : candidates_) {
      if (!needed_[id] || tape().values[id].parameter >= 0) continue;
      tape().values[id].parameter = static_cast<int>(tape().parameters.size());
      tape().parameters.push_back(id);
      shapes_.insert(id);
    }
  }

  // A node of the tape: refused, or what its rule reads.
  void visit(size_t index) {
    const Node& node = nodes_[index];
    result_.nodes.push_back(static_cast<int>(index));
    const std::unique_ptr<Rule::Refusal> refusal = refusal_of(node);
    if (refusal) {
      refused_[index] = true;
      result_.refusals.push_back({node.name, node.op, refusal->why, refusal->remedy});
      return;
    }
    std::vector<bool> wanted(node.inputs.size(), false);
    each_flowing(node, needed_, [&](size_t k, int id) { wanted[k] = tape().values[id].active; });
    insert_known(node.inputs, shapes_);
    insert_known(node.outputs, shapes_);
    add_needs(node, node.rule->needs(node, wanted), taps_);
    add_needs(node, node.rule->forward_needs(node, wanted), forward_taps_);
    tape().nodes.push_back(node);
  }

  std::unique_ptr<Rule::Refusal> refusal_of(const Node& node) {
    if (node.rule) return node.rule->refuse(node, tape());
    return std::make_unique<Rule::Refusal>(
        Rule::Refusal{"the operator has no derivative rule here",
                      "freeze what lies before it, or replace it by supported operators"});
  }

  // What is made here is not read: what it is made of is.
  void derive() {
    for (size_t index = nodes_.size(); index-- > 0;) {
      const Node& node = nodes_[index];
      if (node.op == "Sigmoid" && node.domain.empty() && node.inputs.size() == 1) {
        derive(node, Derived::How::kLogistic);
      } else if (on_tape_[index] && node.rule && node.rule->keeps_numbers(node) &&
                 node.inputs[0] >= 0 && active_[node.inputs[0]]) {
        derive(node, Derived::How::kShape);
      }
    }
    std::reverse(result_.derived.begin(), result_.derived.end());
  }

  void derive(const Node& node, Derived::How how) {
    const int id = node.outputs[0], from = node.inputs[0];
    if (id < 0 || from < 0) return;
    const bool in_reverse = taps_.erase(id) > 0, forward = forward_taps_.erase(id) > 0;
    if (!in_reverse && !forward) return;
    if (in_reverse) taps_.insert(from);
    if (forward) forward_taps_.insert(from);
    shapes_.insert(id);
    result_.derived.push_back({id, from, how});
  }

  // The active values that no refused node lies before.
  std::vector<int> unobstructed() {
    std::vector<bool> obstructed(active_.size(), false);
    std::vector<int> clear;
    for (size_t index = 0; index < nodes_.size(); ++index) {
      if (!on_tape_[index]) continue;
      const Node& node = nodes_[index];
      bool any = refused_[index];
      each_flowing(node, obstructed, [&](size_t, int) { any = true; });
      for (int id : node.outputs) {
        if (id < 0) continue;
        obstructed[id] = any;
        if (!any && tape().values[id].active) clear.push_back(id);
      }
    }
    return clear;
  }

  static void mark(const std::vector<int>& ids, std::vector<bool>& marked) {
    for (int id : ids)
      if (id >= 0) marked[id] = true;
  }
  static void insert_known(const std::vector<int>& ids, std::set<int>& into) {
    for (int id : ids)
      if (id >= 0) into.insert(id);
  }

  std::vector<Node> nodes_;
  const std::vector<int>& candidates_;
  std::vector<bool> candidate_, active_, needed_, on_tape_, refused_;
  std::set<int> taps_, forward_taps_, shapes_;
  Analysis result_;
};

}  // namespace

Analysis analyse(const Graph& graph, const std::vector<int>& candidates, int output) {
  check(graph, candidates, output);
  return Analyser(graph, candidates, output).run();
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
