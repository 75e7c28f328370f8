#pragma once

#include <cstdint>

namespace at::linear {

// What came of a computation. Only not_positive leaves no value; advice() says what to try next.
enum class Status {
  solved,           // directly, to rounding
  converged,        // iterations reached the tolerance
  rank_deficient,   // there is no inverse: the value is that of the pseudo-inverse
  not_positive,     // A + shift·I is not positive definite in double precision
  iteration_limit,  // the value is as far as the iterations got
  stalled,          // rounding hides further progress
};

const char* name_of(Status status);
const char* advice(Status status);
inline bool succeeded(Status status) {
  return status == Status::solved || status == Status::converged;
}

// What is not known is zero.
struct Statistics {
  double residual = 0;   // ‖b − (A + shift·I) x‖ / ‖b‖, the largest of all columns
  double condition = 0;  // of A + shift·I, a lower estimate
  int64_t rank = 0;
  int64_t iterations = 0;  // of the slowest column
  int64_t products = 0;    // columns that were multiplied by A
};

template <class Value>
struct Result {
  Value value;
  Status status = Status::solved;
  Statistics statistics;
};

// A number and its standard error, 0 where it is exact.
struct Estimate {
  double value = 0, error = 0;
};

}  // namespace at::linear
