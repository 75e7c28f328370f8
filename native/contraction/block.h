#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "reverse/sink.h"

namespace at {
inline namespace AT_PRECISION {

enum class KernelType { kFull, kTrace, kDiagonal };
enum class Method { kAuto, kJacobian, kStructured, kProducts };
std::string name_of(Method method);

// The features of rows picked from a matrix, X[i,c] (m × k) = Σ_e δ[e,c,:] ⊗ (one at columns[e]):
// the entries e of sample i are those from starts[i] to starts[i + 1], by ascending column, each
// once.
struct Picks {
  std::vector<int64_t> starts;   // n + 1
  std::vector<int64_t> columns;  // per entry
  std::shared_ptr<Real> delta;   // (entries, C, m)
  int64_t rows = 1;              // m
};

// One term of the kernel for one block of samples: the features of a parameter (or of a weight and
// its bias together), dense or in factors.
struct Unit {
  int group = 0;  // the result that it adds to
  Method method = Method::kJacobian;
  // kJacobian: x (n, C, size), or factors from which x is expanded a slice at a time.
  std::shared_ptr<Real> x;
  int64_t size = 0;
  // Otherwise X[i,c] (m × k) = Σ_t δ[i,t,c,:] ⊗ h[i,t,:].
  std::shared_ptr<Real> delta;  // (n, T, C, m)
  std::shared_ptr<Real> h;      // (n, T, k)
  int64_t positions = 1;        // T
  int64_t rows = 1;             // m
  int64_t cols = 1;             // k
  // Features to be added, where the weight's rows are picked by number (as well).
  std::shared_ptr<const Picks> picks;
  // The factors above are those of the picked matrix's transpose.
  bool crosswise = false;
};

// The features of samples [first, first + samples) for all C outputs wanted.
struct Block {
  int64_t first = 0;
  int64_t samples = 0;
  int64_t count = 0;  // C
  std::vector<Unit> units;
  int64_t bytes() const;
};

}  // namespace AT_PRECISION
}  // namespace at
