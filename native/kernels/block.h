#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "kernels/side.h"

namespace at::kernels {

// full (N1,O,N2,O); trace (N1,N2), summed over equal outputs; diagonal (N1,N2,O).
enum class KernelType { kFull, kTrace, kDiagonal };
// How the kernel of one parameter is made (METHOD.md section 2): of features that are formed, of
// factors on both sides, or of factors on one side and features that are formed on the other.
enum class Method { kAuto, kJacobian, kStructured, kMixed };
std::string name_of(Method method);

// What a kernel is to be computed of.
struct KernelTask {
  KernelType type = KernelType::kFull;
  Method forced = Method::kAuto;
  std::vector<Method> chosen;  // of every parameter, where it is known before
  int64_t expected = 0;        // samples a side that the cost model goes by; 0: those there are
  bool symmetric = true;
  int64_t samples1 = 0;     // N1
  int64_t samples2 = 0;     // N2, equal to N1 when symmetric
  int64_t outputs = 0;      // O
  std::vector<int> groups;  // result index of every parameter
  // Rows of the kernel per sample (C).
  int64_t components() const { return type == KernelType::kFull ? outputs : 1; }
  // Numbers in the kernel for each pair of samples.
  int64_t numbers_of_pair() const {
    if (type == KernelType::kTrace) return 1;
    return type == KernelType::kFull ? outputs * outputs : outputs;
  }
  int64_t pairs() const {
    return symmetric ? (samples1 * (samples1 + 1) + 1) / 2 : samples1 * samples2;
  }
};

// The features of rows picked from a matrix, X[i,c] (m × k) = Σ_e δ[e,c,:] ⊗ (one at columns[e]),
// by ascending column for every sample, each once.
template <class Number>
struct Picks : Picked {
  std::shared_ptr<Number> delta;  // (entries, C, m)
  int64_t rows = 1;               // m
};

// One term of the kernel for one block of samples: the features of a parameter (or of a weight and
// its bias together), dense or in factors.
template <class Number>
struct Unit {
  int group = 0;  // the result that it adds to
  Method method = Method::kJacobian;
  // kJacobian: x (n, C, size), or factors from which x is expanded a slice at a time.
  std::shared_ptr<Number> x;
  int64_t size = 0;
  // Otherwise X[i,c] (m × k) = Σ_t δ[i,t,c,:] ⊗ h[i,t,:].
  std::shared_ptr<Number> delta;  // (n, T, C, m)
  std::shared_ptr<Number> h;      // (n, T, k)
  int64_t positions = 1;          // T
  int64_t rows = 1;               // m
  int64_t cols = 1;               // k
  // Features to be added, where the weight's rows are picked by number (as well).
  std::shared_ptr<const Picks<Number>> picks;
  // The factors above are those of the picked matrix's transpose.
  bool crosswise = false;

  // Are the features expanded only while they are multiplied?
  bool lazy() const { return method == Method::kJacobian && delta; }
  // As one side of a kernel of that type: the trace kernel stacks the outputs into the rows (C = 1,
  // m·O rows), the diagonal one sees one output (C = 1).
  Side<Number> side(KernelType type, int64_t count, int64_t component) const;
};

template <class Number>
struct DeviceBlock;

// The features of samples [first, first + samples) for all C outputs wanted.
template <class Number>
struct Block {
  int64_t first = 0;
  int64_t samples = 0;
  int64_t count = 0;  // C
  std::vector<Unit<Number>> units;
  // Units that were moved to a device.
  std::shared_ptr<const DeviceBlock<Number>> on_device;
  int64_t bytes() const;
};

}  // namespace at::kernels
