#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/control.h"

namespace at::linear {

// The target kernel T = Y Yᵀ, by its factor y (n, columns).
struct TargetFactor {
  std::vector<double> y;
  int64_t columns = 0;
};

// How K relates to another kernel A, with cos(K, A) = ⟨K, A⟩ / (‖K‖ ‖A‖) (Frobenius).
struct KernelChange {
  double alignment = 0;  // cos(K, A)
  double centred = 0;    // cos(HKH, HAH), H = I − 11ᵀ/n
  double distance = 0;   // ‖K − A‖ / ‖A‖
  double rotation = 0;   // 1 − cos(K, A), as ½‖K/‖K‖ − A/‖A‖‖²: no cancellation
};

struct TargetMeasures {
  double alignment = 0;  // cos(K, T)
  double centred = 0;    // cos(HKH, HTH)
  // Per number of eigenvectors k: Σ_{j≤k} ‖Yᵀv_j‖² / ‖Y‖² over those whose eigenvalue is more than
  // rounding (above 1e-7 of the largest, and above the size of the most negative one).
  std::vector<double> energy;
};

struct KernelMeasures {
  double trace = 0;
  double norm = 0;           // ‖K‖
  double participation = 0;  // (tr K)² / ‖K‖²
  KernelChange initial, previous;
  std::vector<TargetMeasures> targets;
  // K ≈ w_initial·K_0 + w_target·T + rest by least squares on the entries, T the first target;
  // rest is ‖rest‖ / ‖K‖, and likewise the sizes of the two terms.
  double w_initial = 0, w_target = 0, rest = 0;
  double initial_size = 0, target_size = 0;
  // Of the spectrum, where it was asked for; eigenvalues descending.
  double effective_rank = 0;
  std::vector<double> eigenvalues;
};

// One symmetric n × n kernel and what it is compared with; null where there is none. What is not
// defined (a cosine with a zero matrix) comes out as NaN.
struct KernelQuestion {
  int64_t n = 0;
  const float* kernel = nullptr;
  const float* initial = nullptr;
  const float* previous = nullptr;
  bool spectrum = false;
  std::string device = "cpu";  // that decomposes, as open_stream() takes it
};

// Sums are in double, in an order that does not depend on the number of threads. The spectrum takes
// three more n × n matrices of doubles. `energies`: the numbers of eigenvectors k.
KernelMeasures measure_kernel(const KernelQuestion& question,
                              const std::vector<TargetFactor>& targets,
                              const std::vector<int64_t>& energies, const Control& control);

// out = Σ parts, entry by entry in double; (count) each.
void add_kernels(int64_t count, const std::vector<const float*>& parts, float* out);

}  // namespace at::linear
