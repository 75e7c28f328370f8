// The rule that docs/architecture.md shows is this one (test/tools/architecture.test.ts).
#include "rules/rule.h"
#include "support.h"

namespace at {
inline namespace AT_PRECISION {
namespace {

// --- The example begins.
// y = max(x, 0); dy/dx = 1 where y > 0, and 0 at the kink as in PyTorch.
class Relu final : public Rule {
 public:
  Needs needs(const Node&, const std::vector<bool>&) const override { return {{}, {0}}; }
  void reverse(Call& call) const override {
    select(call, call.count(), call.out(0), call.in_place(0));
  }
  void forward(TangentCall& call) const override {
    select(call, call.count(), call.in(0), call.out_in_place(0));
  }

 private:
  // Of `count` cotangents, or tangents, of y's shape: the elements where y > 0.
  static void select(const NodeView& node, int64_t count, const Real* from, Real* to) {
    const Real* y = node.output(0).reals();
    const int64_t size = node.output(0).size();
    for (int64_t e = 0; e < count * size; ++e) to[e] = y[e % size] > 0 ? from[e] : Real(0);
  }
};
const Registration relu("Relu", std::make_unique<Relu>(), "com.example");
// --- The example ends.

// One node of one input and one output of the same shape.
template <class Base>
struct OneNode : Base {
  OneNode(const std::vector<Real>& y, const std::vector<Real>& given)
      : from(given), to(given.size()), carried(static_cast<int64_t>(given.size() / y.size())) {
    value.shape = {static_cast<int64_t>(y.size())};
    value.data = y.data();
  }
  const Node& node() const override { return node_; }
  const Activation& input(int) const override { return value; }
  const Activation& output(int) const override { return value; }
  bool has_input(int) const override { return true; }
  Real* scratch(int64_t) override { return nullptr; }
  const Control& control() const override { return control_; }
  int64_t count() const override { return carried; }
  bool wants(int) const override { return true; }
  void pass(int, int) override {}

  Activation value;
  const std::vector<Real>& from;
  std::vector<Real> to;
  int64_t carried;
  Node node_;
  Control control_;
};

struct Backward final : OneNode<Call> {
  using OneNode::OneNode;
  int64_t samples() const override { return 1; }
  const Real* slopes() const override { return nullptr; }
  const Real* out(int) const override { return from.data(); }
  bool per_sample(int) const override { return false; }
  Real* in(int) override { return to.data(); }
  Real* in_place(int) override { return to.data(); }
  void reduce(int, int, const Real*) override {}
  MatrixFactor matrix(int, const MatrixDims&, int) override { return {}; }
  int64_t pass_samples() const override { return 1; }
  Real* picks(int, const MatrixDims&, std::vector<int64_t>) override { return nullptr; }
};

struct Forward final : OneNode<TangentCall> {
  using OneNode::OneNode;
  const Real* in(int) const override { return from.data(); }
  Real* out(int) override { return to.data(); }
  Real* out_in_place(int) override { return to.data(); }
};

TEST_CASE("example rule: reverse and forward select where the output is positive") {
  const Rule* rule = find_rule("com.example", "Relu");
  REQUIRE(rule != nullptr);
  CHECK_EQ(rule->needs({}, {true}).outputs, std::vector<int>{0});
  const std::vector<Real> y = {0, 2, 0, Real(0.5)};
  const std::vector<Real> two = {1, 2, 3, 4, 5, 6, 7, 8};
  Backward backward(y, two);
  rule->reverse(backward);
  CHECK_EQ(backward.to, std::vector<Real>{0, 2, 0, 4, 0, 6, 0, 8});
  Forward forward(y, two);
  rule->forward(forward);
  CHECK_EQ(forward.to, backward.to);
}

}  // namespace
}  // namespace AT_PRECISION
}  // namespace at
