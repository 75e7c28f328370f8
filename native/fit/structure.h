#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "device/stream.h"
#include "fit/penalty.h"
#include "fit/transform.h"

namespace at::fit {

// Which transformations a block's features may undergo (METHOD.md section 3).
//   fixed     none
//   matrix    M_left X M_right: Σ_j ω̃(σ_j(B))
//   modes     a matrix per mode of an array of three or more modes, found one mode at a time
//   diagonal  a factor per number: Σ ω̃(|B_ij|)
//   flat      one full matrix on the flattened block: ω̃(‖B‖_F)
enum class Structure { fixed, matrix, modes, diagonal, flat };

struct BlockRule {
  Structure structure = Structure::fixed;
  std::vector<int64_t> dims;  // {m, k}; for modes more, with product m·k and dims[0] = m
  std::vector<bool> sides;    // per mode: is it transformed? (matrix: left, right)
  // matrix: one penalty of as many sides as are transformed, left first. modes: one of one side
  // per transformed mode. diagonal and flat: one of one side.
  std::vector<std::shared_ptr<const Penalty>> penalties;

  int64_t size() const;
  Transform identity() const;
  bool adaptive() const;
  // Throws Error("BAD_ARGUMENT") unless the parts belong together.
  void check() const;
};

// What the best transformation makes of one block's B.
struct Shaped {
  double penalty = 0;             // min over M of Ω(M) + ‖Θ‖²
  Transform transform;            // the minimising M
  std::vector<double> singular;   // matrix and fixed: σ of B; modes: of every mode's unfolding,
                                  // the others undone; diagonal: |B|; flat: ‖B‖
  std::vector<double> u, vt;      // matrix: (m, r) and (r, k)
  std::vector<double> stretches;  // z of every side: (sides, r); modes: of every mode
  std::vector<double> savings;    // matrix: v² − ω̃(v), what stretching each direction is worth
};

// enough: Σ ω̃ to double precision and M to about 1e-10, but the least singular values only to
// 1e-8 of the largest; full: all of it to double precision.
enum class Accuracy { enough, full };

// b (size) is B; `before` is M of a nearby B, where the search starts when there is no closed form.
// With a stream its device decomposes matrices.
Shaped shape(const BlockRule& rule, const double* b, const Transform& before, Accuracy accuracy,
             device::Stream* stream = nullptr);

// What B weighs most, as a penalty sees it: σ₁ of a matrix or of any transformed mode's unfolding,
// ‖B‖_F of a flat block, max |B_ij| of a diagonal one; 0 of a fixed block.
double largest_value(const BlockRule& rule, const double* b, device::Stream* stream = nullptr);

// The transforms without the directions of matrix blocks whose stretching is worth least, together
// at most `budget`: Ω(M) + ‖Θ‖² for the same B is then at most that much above its minimum.
std::vector<Transform> without_least(const std::vector<Shaped>& shaped, double budget);

}  // namespace at::fit
