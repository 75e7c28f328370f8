#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <variant>
#include <vector>

#include "core/shape.h"

namespace at {
inline namespace AT_PRECISION {

class Rule;

using Attribute = std::variant<int64_t, double, std::string, std::vector<int64_t>,
                               std::vector<double>, std::vector<std::string>>;

// A node's attributes with the defaults that ONNX gives them at the call.
class Attributes {
 public:
  void set(const std::string& name, Attribute value) { values_[name] = std::move(value); }
  bool has(const std::string& name) const { return values_.count(name) != 0; }
  int64_t integer(const std::string& name, int64_t otherwise) const;
  double number(const std::string& name, double otherwise) const;
  std::string text(const std::string& name, const std::string& otherwise) const;
  std::vector<std::string> texts(const std::string& name) const;
  std::vector<int64_t> integers(const std::string& name,
                                const std::vector<int64_t>& otherwise = {}) const;

 private:
  std::map<std::string, Attribute> values_;
};

// One operator of the differentiable part. Inputs and outputs are value ids; -1 where an optional
// one is absent.
struct Node {
  std::string op;
  std::string domain;  // "" is ai.onnx
  int opset = 0;
  std::string name;
  Attributes attributes;
  std::vector<int> inputs;
  std::vector<int> outputs;
  const Rule* rule = nullptr;
};

// What is known of a value before anything runs.
struct ValueInfo {
  std::string name;
  bool active = false;  // on a path from a parameter to the chosen output
  int parameter = -1;   // index into Tape::parameters when the value is one
  bool has_static_shape = false;
  Shape static_shape;  // of initializers and constants
};

// The differentiable part of a network: nodes in topological order between the parameters and one
// output. Immutable once built; the rules are resolved.
struct Tape {
  std::vector<ValueInfo> values;
  std::vector<Node> nodes;
  std::vector<int> parameters;  // value ids
  int output = -1;              // value id
};

enum class DataType { kFloat, kInt64, kInt32, kBool, kOther };

// A value in one forward run. `data` is null where the numbers were not asked for.
struct Activation {
  DataType type = DataType::kFloat;
  Shape shape;
  const void* data = nullptr;
  // Where the batch lies: element e belongs to sample (e / batch_stride) % samples.
  // 0: the value does not depend on the sample.
  int64_t batch_stride = 0;

  bool batched() const { return batch_stride > 0; }
  int64_t size() const { return element_count(shape); }
  const Real* reals() const { return static_cast<const Real*>(data); }
  const int64_t* int64s() const { return static_cast<const int64_t*>(data); }
  const bool* bools() const { return static_cast<const bool*>(data); }
};

// All values of one forward run of `samples` samples, indexed as Tape::values. Inactive values that
// no rule reads are empty.
struct Frame {
  int64_t samples = 0;
  std::vector<Activation> values;
};

}  // namespace AT_PRECISION
}  // namespace at
