#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/buffer.h"
#include "core/control.h"
#include "core/matrix.h"
#include "graph/tape.h"

namespace at {
inline namespace AT_PRECISION {

// Notation of every rule in reverse: C cotangents are carried at once, so the cotangent of a value
// of shape s is an array (C, s…). n is the number of samples in the batch. A value that depends on
// the samples is "batched"; a parameter, or what is computed from parameters alone, is not, and its
// derivative is kept apart for every sample: (C, n, s…). In a node whose every input is unbatched
// that simply is C·n cotangents (Call::count() says so), so that a rule need not care. Forward, D
// tangents are carried at once: the tangent of a value of shape s is an array (D, s…), whether it
// is batched or not. They enter at the parameters, the same for all samples.

// What a rule reads: indices of inputs and outputs whose numbers (not only shapes) are needed.
struct Needs {
  std::vector<int> inputs;
  std::vector<int> outputs;
};

// The tangent features of an unbatched matrix operand, in factors (METHOD.md section 2). The
// operand is stored (G, m, k), or (G, k, m) when `transposed`.
struct MatrixFactor {
  MatrixDims dims;
  Real* delta = nullptr;  // (n, G, T, C, m), to be filled
  Real* h = nullptr;      // (n, G, T, k), to be filled
};

// One node, as its rule sees it in either direction.
class NodeView {
 public:
  virtual ~NodeView() = default;

  virtual const Node& node() const = 0;
  // Shapes, and numbers where needs() asked for them. Absent optional inputs have no size:
  // check has_input first.
  virtual const Activation& input(int k) const = 0;
  virtual const Activation& output(int j) const = 0;
  virtual bool has_input(int k) const = 0;
  // Uninitialised memory that lives until the call returns.
  virtual Real* scratch(int64_t count) = 0;
  virtual const Control& control() const = 0;
};

// One node in one reverse pass.
class Call : public NodeView {
 public:
  // Cotangents carried for each output of this node: C, or C·n when the node is unbatched.
  virtual int64_t count() const = 0;
  // n; 1 in an unbatched node.
  virtual int64_t samples() const = 0;

  // Cotangent of output j, (count, shape…), or null when nothing flows back from it.
  virtual const Real* out(int j) const = 0;

  // Is a cotangent of input k wanted at all?
  virtual bool wants(int k) const = 0;
  // Is it wanted for every sample apart, i.e. is the node batched and input k not? If so in(k) is
  // (count, n, shape…) and matrix(k, …) may be used in its place.
  virtual bool per_sample(int k) const = 0;

  // The cotangent of input k, uninitialised, to be overwritten in full:
  // (count, shape…), or (count, n, shape…) when per_sample(k).
  virtual Real* in(int k) = 0;
  // The same, but may be the very memory of out(0) when both have one shape and nobody else needs
  // it: for element-wise rules that read element e before they write element e.
  virtual Real* in_place(int k) = 0;
  // Where the rule takes_slopes(): what it multiplies the cotangent of input 0 by as it writes it,
  // as times_selected has it (support/times.h): as many numbers as input 0 has, the same for every
  // cotangent. Null: nothing.
  virtual const Real* slopes() const = 0;
  // Input k's cotangent is output j's, number for number (reshapes, additions). Not for per_sample.
  virtual void pass(int j, int k) = 0;
  // Input k was broadcast to output j's shape: sums g (count, output j's shape…) into its shape.
  // Handles equal shapes and per_sample; g is out(j) or scratch.
  virtual void reduce(int j, int k, const Real* g) = 0;

  // For per_sample(k): declare that the features have matrix structure and get the arrays to fill.
  // May be called once per input. Where they are not wanted in factors the caller expands them.
  // `with_bias` ≥ 0 names an input whose features are Σ_t δ[i,0,t,c,:] (a bias with the same
  // cotangents, G = 1): it is then served as well and must not be written by in().
  virtual MatrixFactor matrix(int k, const MatrixDims& dims, int with_bias = -1) = 0;
  // n of the pass, in an unbatched node too.
  virtual int64_t pass_samples() const = 0;
  // For an unbatched input of any node, in place of matrix() where dims.picks: columns (n, T) says
  // where h[i,t,:] is 1. Returns δ (n, T, C, m), to be filled, C and n being those of the pass.
  virtual Real* picks(int k, const MatrixDims& dims, std::vector<int64_t> columns) = 0;
};

// One node in one forward pass.
class TangentCall : public NodeView {
 public:
  // D.
  virtual int64_t count() const = 0;
  // Tangent of input k, (count, shape…), or null when it is zero. Not null for one input at least.
  virtual const Real* in(int k) const = 0;

  // Is the tangent of output j wanted at all?
  virtual bool wants(int j) const = 0;
  // The tangent of output j, uninitialised, to be overwritten in full: (count, shape…).
  virtual Real* out(int j) = 0;
  // Output 0's tangent, but may be the very memory of in(k) when both have one size and nobody else
  // needs it: for rules that read element e before they write element e, and in(k) only.
  virtual Real* out_in_place(int k) = 0;
  // Output j's tangent is input k's, number for number.
  virtual void pass(int k, int j) = 0;
  // out (rows, ·) = alpha·x·M + beta·out for the matrix M that is input k's tangent (as stored, or
  // transposed), where M is known as a product that is cheaper to apply to so many rows than to
  // form. False: nothing was done; multiply by in(k).
  virtual bool apply(int k, bool transposed, int64_t rows, const Real* x, Real alpha, Real beta,
                     Real* out) {
    return false;
  }
};

// An op's rule: it knows its mathematics and nothing else. Stateless and shared between threads.
class Rule {
 public:
  virtual ~Rule() = default;

  // Empty, or why this node cannot be differentiated and what to do about it, as one sentence
  // fragment each: "it runs in training mode".
  struct Refusal {
    std::string why;
    std::string remedy;
  };
  virtual std::unique_ptr<Refusal> refuse(const Node& node, const Tape& tape) const {
    return nullptr;
  }
  // Do derivatives flow to input k? False for shapes, indices, axes, conditions, resize scales.
  virtual bool differentiable(const Node& node, int k) const { return true; }
  // What input k is where numbers mostly are constants by their role ("an exponent"; running
  // statistics, clip bounds, pad values are others); null elsewhere. An initializer that stands in
  // such places only is no parameter unless it is asked for. Whatever is a parameter is
  // differentiated here as well.
  virtual const char* constant_role(const Node& node, int k) const { return nullptr; }
  // What reverse() reads, given which inputs want a cotangent.
  virtual Needs needs(const Node& node, const std::vector<bool>& wanted) const { return {}; }
  // What forward() reads, given which inputs may have a tangent.
  virtual Needs forward_needs(const Node& node, const std::vector<bool>& wanted) const {
    return needs(node, wanted);
  }
  // The first so many inputs are factors: the output is linear in each of them, and in all others.
  // 0: it is no such product. Then a rule itself sees to it that nothing flows through a cotangent
  // (tangent) of 0, be the derivative infinite or no number at all: see support/times.h.
  virtual int factors(const Node& node) const { return 0; }
  // Output j lists input k's elements in the same order (Reshape and its relatives): where the
  // batch lies follows from that.
  virtual bool keeps_order(const Node& node) const { return false; }
  // Is output 0 input 0 in another shape? Its numbers then need not be asked for.
  virtual bool keeps_numbers(const Node& node) const { return false; }
  // Does each number of the outputs see at most one number of each input, whichever (ties apart)?
  // Then no more of an input's cotangent is other than 0 than of theirs.
  virtual bool sees_one(const Node& node) const { return keeps_order(node); }
  // How output 0 sees input 0 (of `rank` axes), where that is a mere view: the features of a weight
  // behind it stay in factors.
  enum class View { kNone, kSame, kMatrixSwapped };
  virtual View view(const Node& node, size_t rank) const { return View::kNone; }
  // Is output 0 a function of input 0 number by number that selects (support/times.h)? Then
  // slopes() writes its derivatives, as many as output 0 has numbers.
  virtual bool selects(const Node& node) const { return false; }
  virtual void slopes(const NodeView& view, Real* to) const {}
  // Does reverse() multiply by call.slopes()? The pass then hands it those of a function before it:
  // a cotangent is written once, not read and written again.
  virtual bool takes_slopes(const Node& node) const { return false; }
  // Writes the cotangent of every wanted input through call.in / in_place / pass / reduce / matrix.
  virtual void reverse(Call& call) const = 0;
  // Writes the tangent of every wanted output through call.out / out_in_place / pass.
  virtual void forward(TangentCall& call) const = 0;
};

// The same on a device, where there is code for one: rules/device/rule.h.
class DeviceRule;
using DeviceHalf = std::shared_ptr<const DeviceRule>;

// The registry: one row per operator, with both of its halves.
const Rule* find_rule(const std::string& domain, const std::string& op);
// Null where there is none.
const DeviceRule* find_device_rule(const Node& node);
std::vector<std::string> registered_ops();
// Those with code for devices: "Conv", "com.microsoft::Gelu", …
std::vector<std::string> device_ops();

// At namespace scope of a rule's file: `static Registration relu("Relu",
// std::make_unique<Relu>());`
struct Registration {
  Registration(const std::string& op, std::unique_ptr<Rule> rule, const std::string& domain = "");
  Registration(const std::string& op, std::unique_ptr<Rule> rule, DeviceHalf device,
               const std::string& domain = "");
};

}  // namespace AT_PRECISION
}  // namespace at
