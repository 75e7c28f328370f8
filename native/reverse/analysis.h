#pragma once

#include <string>
#include <vector>

#include "graph/tape.h"

namespace at {
inline namespace AT_PRECISION {

// A whole network as it was read: all nodes in topological order, those without derivatives too.
struct Graph {
  std::vector<ValueInfo> values;
  std::vector<Node> nodes;
};

struct Refused {
  std::string node;
  std::string op;
  std::string why;
  std::string remedy;
};

// A value that is made of another one here. σ: onnxruntime's own is off where it comes near 0.
// Another shape: onnxruntime would copy all numbers on one thread.
struct Derived {
  enum class How { kLogistic, kShape };
  int id;
  int from;
  How how;
};

// What passes between the candidates and one output take.
struct Analysis {
  std::vector<Refused> refusals;  // empty: the tape is good
  std::vector<int> nodes;         // indices into Graph::nodes of the tape's nodes
  std::vector<int> taps;          // values whose numbers a reverse pass reads
  std::vector<int> forward_taps;  // and a forward one
  std::vector<Derived> derived;   // in place of taps, each after what it is made of
  std::vector<int> shapes;        // values whose shapes are read
  // Of the values that the output needs, those with a derivative by some candidate and no refused
  // node on the way to them.
  std::vector<int> differentiable;
  // Values that depend on a graph input, be it only through its shape.
  std::vector<bool> depends_on_input;
  Tape tape;
};

// Finds what lies on a path from a candidate to `output` through differentiable inputs. Candidates
// that do not are left out of tape.parameters. Throws Error("BAD_FILE") on a malformed graph.
Analysis analyse(const Graph& graph, const std::vector<int>& candidates, int output);

// For each value the constant's role that it has wherever a derivative flows to it (see
// Rule::constant_role); empty where it has another use or none.
std::vector<std::string> constant_roles(const Graph& graph, const std::vector<int>& ids);

}  // namespace AT_PRECISION
}  // namespace at
