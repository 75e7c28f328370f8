#pragma once

#include <cstdint>

namespace at {

// Sums over samples.
struct LossSum {
  double loss = 0;
  int64_t wrong = 0;  // classes that are not the largest output; for one output, signs

  void operator+=(const LossSum& other) {
    loss += other.loss;
    wrong += other.wrong;
  }
};

// ½‖f − y‖² for numbers (N, O), or −log softmax(f)_y for N classes.
struct Targets {
  int64_t samples = 0;
  const float* numbers = nullptr;
  const int32_t* classes = nullptr;
};

// Loss of outputs f (n, O) whose targets are `rows` of `targets`. Where `slope` (n, O) is given it
// becomes the gradient of the mean over a batch of `batch` samples, of which these n are some.
LossSum loss_of(const Targets& targets, const uint32_t* rows, int64_t n, int64_t outputs,
                const float* f, float* slope, int64_t batch);

}  // namespace at
