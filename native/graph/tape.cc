#include "graph/tape.h"

namespace at {
inline namespace AT_PRECISION {

int64_t Attributes::integer(const std::string& name, int64_t otherwise) const {
  auto found = values_.find(name);
  if (found == values_.end()) return otherwise;
  if (auto* i = std::get_if<int64_t>(&found->second)) return *i;
  if (auto* d = std::get_if<double>(&found->second)) return static_cast<int64_t>(*d);
  return otherwise;
}

double Attributes::number(const std::string& name, double otherwise) const {
  auto found = values_.find(name);
  if (found == values_.end()) return otherwise;
  if (auto* d = std::get_if<double>(&found->second)) return *d;
  if (auto* i = std::get_if<int64_t>(&found->second)) return static_cast<double>(*i);
  return otherwise;
}

std::string Attributes::text(const std::string& name, const std::string& otherwise) const {
  auto found = values_.find(name);
  if (found == values_.end()) return otherwise;
  if (auto* s = std::get_if<std::string>(&found->second)) return *s;
  return otherwise;
}

std::vector<std::string> Attributes::texts(const std::string& name) const {
  auto found = values_.find(name);
  if (found == values_.end()) return {};
  if (auto* v = std::get_if<std::vector<std::string>>(&found->second)) return *v;
  return {};
}

std::vector<int64_t> Attributes::integers(const std::string& name,
                                          const std::vector<int64_t>& otherwise) const {
  auto found = values_.find(name);
  if (found == values_.end()) return otherwise;
  if (auto* v = std::get_if<std::vector<int64_t>>(&found->second)) return *v;
  return otherwise;
}

}  // namespace AT_PRECISION
}  // namespace at
