#pragma once

#include <memory>
#include <string>
#include <utility>

#include "device/functions/scale.h"
#include "rules/device/rule.h"
#include "rules/support/unary.h"

namespace at {
inline namespace AT_PRECISION {

// rules/support/unary.h's on a device; `make(node)` gives one of device/functions/slopes.h.
template <class Make, bool selects>
class DeviceUnary final : public DeviceRule {
 public:
  DeviceUnary(Reads reads, Make make) : reads_(reads), make_(std::move(make)) {}

  void reverse(DeviceCall& call) const override {
    scale(call, call.view().count(), call.out(0), call.in(0));
  }
  bool forward(DeviceTangentCall& call) const override {
    scale(call, call.view().count(), call.in(0), call.out(0));
    return true;
  }

 private:
  void scale(DeviceNode& call, int64_t count, const DeviceNumbers& from,
             const device::Pointer<Real>& to) const {
    using Slope = decltype(make_(call.view().node()));
    const DeviceNumbers values = reads_ == Reads::kInput ? call.input(0) : call.output(0);
    const int64_t size = call.view().output(0).size();
    device::for_rows(call.stream(), count, size,
                     device::Scale<Real, Slope, selects>{values.at(), from.at(), to, size,
                                                         make_(call.view().node())});
  }

  Reads reads_;
  Make make_;
};

// A row of a family's table: `const Registration rows[] = {activation("Tanh", Reads::kInput, …),
// …};`
template <class Make>
Registration activation(const std::string& op, Reads reads, Make make,
                        const std::string& domain = "") {
  return {op, std::make_unique<Unary<Make, false>>(reads, make),
          std::make_shared<DeviceUnary<Make, false>>(reads, make), domain};
}
// Of a function that lets some of its inputs through.
template <class Make>
Registration selecting_activation(const std::string& op, Reads reads, Make make) {
  return {op, std::make_unique<Unary<Make, true>>(reads, make),
          std::make_shared<DeviceUnary<Make, true>>(reads, make)};
}

}  // namespace AT_PRECISION
}  // namespace at
