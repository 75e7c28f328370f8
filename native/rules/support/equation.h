#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "rules/rule.h"

namespace at {
inline namespace AT_PRECISION {

// An array as an einsum sees it: a label, a size and a stride for every axis longer than 1. Of a
// label that is repeated only the diagonal is read: its strides add up.
struct Labelled {
  std::vector<int> labels;
  std::map<int, int64_t> stride;
  bool has(int label) const { return stride.count(label) != 0; }
};

// The operands and the output of an Einsum node, its equation taken apart. The label of the axis
// that holds the batch is split so that the samples have a label of their own.
struct Equation {
  std::vector<Labelled> operands;
  Labelled output;
  std::map<int, int64_t> size;  // of every label
  int sample = -1;              // label of the samples; −1: there is one
  // Axes of operand k in its own order, labels repeated where they are; for writing.
  std::vector<std::vector<int>> axes;

  Equation(const NodeView& call, int64_t samples);
};

}  // namespace AT_PRECISION
}  // namespace at
