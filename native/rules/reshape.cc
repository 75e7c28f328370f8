// Operators that leave the elements in order.
#include "rules/device/flow.h"
#include "rules/support/batch.h"

namespace at {
inline namespace AT_PRECISION {
namespace {

class InOrder : public Rule {
 public:
  bool differentiable(const Node&, int k) const override { return k == 0; }
  bool keeps_order(const Node&) const override { return true; }
  bool keeps_numbers(const Node&) const override { return true; }
  View view(const Node&, size_t) const override { return View::kSame; }
  void reverse(Call& call) const override { pass_order(call, 0, 0); }
  void forward(TangentCall& call) const override { call.pass(0, 0); }
};

// In evaluation the identity. Since opset 12 the mode is an input; a mode that is stored in the
// file comes as an attribute, one that is computed is checked when it is known.
class Dropout final : public InOrder {
 public:
  std::unique_ptr<Refusal> refuse(const Node& node, const Tape&) const override {
    if (node.attributes.integer("training_mode", 0) == 0) return nullptr;
    return std::make_unique<Refusal>(
        Refusal{"it runs in training mode", "export the network in evaluation mode"});
  }
  View view(const Node&, size_t) const override { return View::kNone; }  // reverse() checks
  Needs needs(const Node& node, const std::vector<bool>&) const override {
    return node.inputs.size() > 2 && node.inputs[2] >= 0 ? Needs{{2}, {}} : Needs{};
  }
  void reverse(Call& call) const override {
    check(call);
    InOrder::reverse(call);
  }
  void forward(TangentCall& call) const override {
    check(call);
    InOrder::forward(call);
  }

 private:
  static void check(const NodeView& view) {
    if (!view.has_input(2) || integers_of(view.input(2)).at(0) == 0) return;
    throw Error("UNSUPPORTED", "Node " + view.node().name +
                                   " (Dropout) runs in training mode; export the network in "
                                   "evaluation mode");
  }
};

// Float to Real. To another type nothing flows: `to` 1, 10, 11, 16 are FLOAT, FLOAT16, DOUBLE and
// BFLOAT16.
class Cast final : public InOrder {
 public:
  bool differentiable(const Node& node, int k) const override {
    const int64_t to = node.attributes.integer("to", 1);
    return k == 0 && (to == 1 || to == 10 || to == 11 || to == 16);
  }
  bool keeps_numbers(const Node&) const override { return false; }  // it may round
};

// All of them on a device. A mode that is an input is looked at on the host.
class DeviceInOrder final : public DeviceRule {
 public:
  bool fits(const Call& view) const override { return !trains(view) && is_plain(view, 0); }
  void reverse(DeviceCall& call) const override { call.put(0, call.out(0)); }
  bool forward(DeviceTangentCall& call) const override {
    if (trains(call.view())) return false;
    call.put(0, call.in(0));
    return true;
  }

 private:
  static bool trains(const NodeView& view) {
    return view.node().op == "Dropout" && view.has_input(2) &&
           integers_of(view.input(2)).at(0) != 0;
  }
};

template <class Host>
Registration row(const std::string& op) {
  return {op, std::make_unique<Host>(), std::make_shared<DeviceInOrder>()};
}

const Registration rows[] = {
    row<InOrder>("Identity"), row<InOrder>("Flatten"),   row<InOrder>("Reshape"),
    row<InOrder>("Squeeze"),  row<InOrder>("Unsqueeze"), row<Dropout>("Dropout"),
    row<Cast>("Cast"),        row<InOrder>("CastLike"),
};

}  // namespace
}  // namespace AT_PRECISION
}  // namespace at
