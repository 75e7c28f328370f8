#pragma once

#include <memory>
#include <vector>

#include "core/buffer.h"
#include "core/control.h"
#include "graph/tape.h"

namespace at {
inline namespace AT_PRECISION {

// Tangents of the parameters that are formed when a rule asks for them.
class Directions {
 public:
  virtual ~Directions() = default;
  virtual bool zero(int parameter) const = 0;
  // (D, …shape), valid while the pass lasts; null where zero.
  virtual const Real* dense(int parameter) = 0;
  // See TangentCall::apply.
  virtual bool apply(int parameter, bool transposed, int64_t rows, const Real* x, Real alpha,
                     Real beta, Real* out) {
    return false;
  }
};

// Carries D tangents of the parameters forward to the output: directions[p] (D, …shape of parameter
// p), null where zero. Returns the output's tangent (D, output's shape…), or null when it is zero.
// Uses the threads of the surrounding arena.
std::shared_ptr<Real> forward_pass(const Tape& tape, const Frame& frame, int64_t count,
                                   const std::vector<const Real*>& directions, Pool& pool,
                                   const Control& control);
std::shared_ptr<Real> forward_pass(const Tape& tape, const Frame& frame, int64_t count,
                                   Directions& directions, Pool& pool, const Control& control);

// result (n, outputs, D) = the tangent (D, output's shape…) at the flat indices `outputs` of every
// sample; a null tangent is zero. Of the output nothing but its shape is read.
void read_tangent(const Activation& output, int64_t samples, const std::vector<int64_t>& outputs,
                  int64_t count, const Real* tangent, Real* result);

}  // namespace AT_PRECISION
}  // namespace at
