// Operators that leave the elements in order. Dropout looks at its mode, which the host does.
#include "rules/device/rule.h"

namespace at {
inline namespace AT_PRECISION {
namespace {

class InOrder final : public DeviceRule {
 public:
  bool fits(const Call& view) const override { return !view.per_sample(0); }
  void reverse(DeviceCall& call) const override { call.put(0, call.out(0)); }
};

const DeviceRegistration rows[] = {
    {"Identity", std::make_unique<InOrder>()},  {"Flatten", std::make_unique<InOrder>()},
    {"Reshape", std::make_unique<InOrder>()},   {"Squeeze", std::make_unique<InOrder>()},
    {"Unsqueeze", std::make_unique<InOrder>()},
};

}  // namespace
}  // namespace AT_PRECISION
}  // namespace at
