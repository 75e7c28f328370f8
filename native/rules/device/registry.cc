#include <map>
#include <stdexcept>

#include "rules/device/rule.h"

namespace at {
inline namespace AT_PRECISION {

namespace {
// A function-local static: registrations of other files may run before this file's own statics.
std::map<std::string, std::unique_ptr<DeviceRule>>& table() {
  static std::map<std::string, std::unique_ptr<DeviceRule>> rules;
  return rules;
}
}  // namespace

const DeviceRule* find_device_rule(const Node& node) {
  const std::string domain = node.domain == "ai.onnx" ? "" : node.domain;
  const auto found = table().find(domain + "::" + node.op);
  return found == table().end() ? nullptr : found->second.get();
}

std::vector<std::string> device_ops() {
  std::vector<std::string> names;
  for (const auto& entry : table())
    names.push_back(entry.first.rfind("::", 0) == 0 ? entry.first.substr(2) : entry.first);
  return names;
}

DeviceRegistration::DeviceRegistration(const std::string& op, std::unique_ptr<DeviceRule> rule,
                                       const std::string& domain) {
  if (!table().emplace(domain + "::" + op, std::move(rule)).second)
    throw std::logic_error("two device rules for " + op);
}

}  // namespace AT_PRECISION
}  // namespace at
