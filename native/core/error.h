#pragma once

#include <stdexcept>
#include <string>
#include <utility>

namespace at {

// An error the caller can act on. `code` is the stable word that JavaScript sees as error.code;
// the message is one sentence. A broken invariant of ours is std::logic_error instead.
class Error : public std::runtime_error {
 public:
  Error(std::string code, const std::string& message)
      : std::runtime_error(message), code_(std::move(code)) {}
  const std::string& code() const { return code_; }

 private:
  std::string code_;
};

struct Cancelled : Error {
  Cancelled() : Error("ABORTED", "The operation was aborted") {}
};

}  // namespace at
