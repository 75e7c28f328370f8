#include "linear/factor.h"

#include <algorithm>
#include <cmath>
#include <sstream>

#include "core/error.h"
#include "core/lapack.h"
#include "core/parallel.h"
#include "linear/cholesky.h"

namespace at::linear {

namespace {

// Kernels that were made in single precision differ from their transpose by less.
constexpr double kAsymmetric = 1e-5;

}  // namespace

void check_symmetric(int64_t n, const std::vector<double>& a) {
  double largest = 0;
  for (double x : a) {
    if (!std::isfinite(x)) throw Error("BAD_INPUT", "Expected a finite kernel");
    largest = std::max(largest, std::abs(x));
  }
  // By tiles: a column of a large matrix is far apart in memory.
  constexpr int64_t tile = 64;
  for (int64_t first = 0; first < n; first += tile)
    for (int64_t other = first; other < n; other += tile)
      for (int64_t i = first; i < std::min(n, first + tile); ++i)
        for (int64_t j = std::max(other, i + 1); j < std::min(n, other + tile); ++j) {
          const double x = a[i * n + j], y = a[j * n + i];
          if (std::abs(x - y) <= kAsymmetric * largest) continue;
          std::ostringstream text;
          text << "Expected a symmetric kernel but entry (" << i << ", " << j << ") is " << x
               << " and entry (" << j << ", " << i << ") is " << y;
          throw Error("BAD_INPUT", text.str());
        }
}

void leave_out(const Factor& factor, int64_t columns, int64_t group, std::vector<double>& alpha,
               const Control& control) {
  std::vector<double> blocks = factor.inverse_blocks(group, control).value;
  const int64_t groups = factor.size() / group;
  parallel_for(groups, grain_for(group * group * (group + columns)),
               [&](int64_t begin, int64_t end) {
                 for (int64_t g = begin; g < end; ++g) {
                   double* block = blocks.data() + g * group * group;
                   if (lapack::cholesky(group, block, group) != 0)
                     throw Error("NUMERICAL",
                                 "The inverse of kernel + ridge is not positive definite in double "
                                 "precision: raise the ridge");
                   cholesky_solve(group, columns, block, alpha.data() + g * group * columns);
                 }
               });
}

}  // namespace at::linear
