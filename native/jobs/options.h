#pragma once

#include <map>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "core/buffer.h"
#include "core/real.h"

namespace at {
inline namespace AT_PRECISION {

// Numbers of the caller's; no data where they are all zero.
struct Reals {
  const Real* data = nullptr;
  int64_t size = 0;
};

// Memory that a job writes to.
struct ResultArray {
  Real* data = nullptr;
  int64_t size = 0;
};

// The options of a job as plain data. The binding reads them by the types that lib/runtime/jobs
// declares; what is missing or of another type is our own mistake and throws FAILED.
class Options {
 public:
  using Value =
      std::variant<int64_t, std::string, std::vector<int64_t>, std::vector<double>, Reals,
                   std::vector<Reals>, std::vector<ResultArray>, std::shared_ptr<Options>>;

  void set(std::string name, Value value) { values_[std::move(name)] = std::move(value); }
  bool has(const char* name) const { return values_.count(name) > 0; }
  int64_t integer(const char* name) const { return get<int64_t>(name); }
  int64_t integer_or(const char* name, int64_t otherwise) const {
    return has(name) ? integer(name) : otherwise;
  }
  const std::string& text(const char* name) const { return get<std::string>(name); }
  const std::vector<int64_t>& integers(const char* name) const {
    return get<std::vector<int64_t>>(name);
  }
  std::vector<int> ints(const char* name) const {
    const auto& wide = integers(name);
    return std::vector<int>(wide.begin(), wide.end());
  }
  const std::vector<double>& numbers(const char* name) const {
    return get<std::vector<double>>(name);
  }
  // As many numbers as that.
  const Real* reals(const char* name, int64_t count) const {
    const Reals& found = get<Reals>(name);
    if (!found.data || found.size != count) wrong(name);
    return found.data;
  }
  const std::vector<Reals>& arrays(const char* name) const { return get<std::vector<Reals>>(name); }
  const std::vector<ResultArray>& results(const char* name) const {
    return get<std::vector<ResultArray>>(name);
  }
  const Options& record(const char* name) const { return *get<std::shared_ptr<Options>>(name); }

 private:
  template <class T>
  const T& get(const char* name) const {
    const auto found = values_.find(name);
    const T* value = found == values_.end() ? nullptr : std::get_if<T>(&found->second);
    if (!value) wrong(name);
    return *value;
  }
  [[noreturn]] static void wrong(const char* name) {
    throw Error("FAILED", std::string("A job's option ") + name + " is missing or unfit");
  }

  std::map<std::string, Value> values_;
};

}  // namespace AT_PRECISION
}  // namespace at
