#include <map>
#include <stdexcept>

#include "rules/device/rule.h"

namespace at {
inline namespace AT_PRECISION {

namespace {

struct Halves {
  std::unique_ptr<Rule> host;
  DeviceHalf device;
};

// A function-local static: registrations of other files may run before this file's own statics.
std::map<std::string, Halves>& table() {
  static std::map<std::string, Halves> rules;
  return rules;
}

std::string key_of(const std::string& domain, const std::string& op) {
  return domain.empty() || domain == "ai.onnx" ? op : domain + "::" + op;
}

}  // namespace

const Rule* find_rule(const std::string& domain, const std::string& op) {
  auto found = table().find(key_of(domain, op));
  return found == table().end() ? nullptr : found->second.host.get();
}

const DeviceRule* find_device_rule(const Node& node) {
  const auto found = table().find(key_of(node.domain, node.op));
  return found == table().end() ? nullptr : found->second.device.get();
}

std::vector<std::string> registered_ops() {
  std::vector<std::string> names;
  for (const auto& entry : table()) names.push_back(entry.first);
  return names;
}

std::vector<std::string> device_ops() {
  std::vector<std::string> names;
  for (const auto& entry : table())
    if (entry.second.device) names.push_back(entry.first);
  return names;
}

Registration::Registration(const std::string& op, std::unique_ptr<Rule> rule,
                           const std::string& domain)
    : Registration(op, std::move(rule), nullptr, domain) {}

Registration::Registration(const std::string& op, std::unique_ptr<Rule> rule, DeviceHalf device,
                           const std::string& domain) {
  if (!table().emplace(key_of(domain, op), Halves{std::move(rule), std::move(device)}).second)
    throw std::logic_error("two rules for " + op);
}

}  // namespace AT_PRECISION
}  // namespace at
