#pragma once

#include <cstdint>
#include <vector>

namespace at::linear {

// Anderson extrapolation of a fixed-point iteration x → g(x) (type II, no damping), for vectors of
// `size` numbers of which the first `residual` make up the residual g − x that is minimised; the
// others are carried along.
class Anderson {
 public:
  Anderson(int64_t size, int64_t residual, int depth);

  // Takes x and g(x); then writes the extrapolation to `out` and returns true, unless there is no
  // history yet (or it is degenerate).
  bool extrapolate(const double* x, const double* g, double* out);
  void forget();

  // All that it remembers, in a form to be stored: a restored one continues with the same bits.
  std::vector<double> save() const;
  // Throws Error("BAD_FILE") when the state is not one of this size and depth.
  void restore(const std::vector<double>& state);

 private:
  std::vector<double> take(const double* x, const double* g);

  int64_t size_, residual_;
  int depth_, count_ = 0, next_ = 0;
  bool started_ = false;
  std::vector<double> df_, dg_;   // (depth, residual), (depth, size): a ring of differences
  std::vector<double> f_, g_;     // the last ones
  std::vector<double> products_;  // (depth, depth) inner products of df_
};

}  // namespace at::linear
