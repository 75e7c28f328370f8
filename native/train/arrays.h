#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "core/buffer.h"
#include "core/control.h"
#include "device/stream.h"
#include "graph/tape.h"
#include "train/factors.h"
#include "train/optimizer.h"

namespace at {

// What is trained: all weights; Δ in the linearised network f(x; θ0) + J·Δ; its factors.
enum class TrainedModel { kFull, kFixed, kAdaptive };

struct TrainerSettings {
  TrainedModel model = TrainedModel::kFull;
  Optimizer optimizer;
  int64_t outputs = 1;  // flat outputs per sample
  int threads = 0;
  size_t memory = SIZE_MAX;
  std::shared_ptr<device::Stream> stream;  // where passes and steps run; null: the processor
  std::vector<int64_t> sizes;              // elements of every parameter
  std::vector<FactorLayout> layouts;
  // What the optimiser changes: a weight or Δ per parameter, or the arrays of Factors.
  std::vector<float*> arrays;
  std::vector<std::vector<float*>> moments;  // [moment][array]
};

// What is trained, where it lies: the arrays, their gradients, and the passes that those come from.
class TrainedArrays {
 public:
  virtual ~TrainedArrays() = default;

  // A batch begins, which may come in several frames.
  virtual void begin() = 0;
  // Passes over one frame, within the surrounding arena of threads.
  virtual void over_frame(const std::function<void()>& work) { work(); }
  // forward_pass() along Δ, and reverse_pass() of one cotangent into the batch's gradients.
  virtual std::shared_ptr<float> tangent(const Frame& frame, const Control& control) = 0;
  virtual void reverse(const Frame& frame, std::shared_ptr<float> seed, const Control& control) = 0;
  // Step number `number`, from 1, with the batch's gradients, which it ends.
  virtual void step(double rate, int64_t number) = 0;

  // The arrays of TrainerSettings have been changed.
  virtual void send() = 0;
  // They, and the moments, are as of the last step when it returns.
  virtual void fetch() = 0;
  // To be called between a step and what is not part of one.
  virtual void renew() = 0;
  // The weights, or Δ, of one parameter, after fetch() and renew().
  virtual const float* present(int parameter) = 0;
};

}  // namespace at
