#pragma once

#include <cstdint>
#include <vector>

#include "core/control.h"

namespace at::linear {

// A symmetric positive semidefinite n × n matrix that is known by what it does: stored, made of
// features, or read tile by tile from wherever it lies.
class Operator {
 public:
  virtual ~Operator() = default;

  virtual int64_t size() const = 0;
  // y = A x for x and y (n, columns), which are not the same memory.
  virtual void apply(int64_t columns, const double* x, double* y, const Control& control) const = 0;
  // (n)
  virtual std::vector<double> diagonal(const Control& control) const = 0;
};

}  // namespace at::linear
