#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "core/control.h"
#include "jobs/gradient.h"
#include "train/factors.h"
#include "train/loss.h"
#include "train/optimizer.h"
#include "train/store.h"

namespace at {

// What is trained: all weights; Δ in the linearised network f(x; θ0) + J·Δ; its factors.
enum class TrainedModel { kFull, kFixed, kAdaptive };

struct TrainerSettings {
  TrainedModel model = TrainedModel::kFull;
  Optimizer optimizer;
  int64_t outputs = 1;  // flat outputs per sample
  int threads = 0;
  size_t memory = SIZE_MAX;
  std::vector<int64_t> sizes;  // elements of every parameter
  std::vector<FactorLayout> layouts;
  // What the optimiser changes: a weight or Δ per parameter, or the arrays of Factors.
  std::vector<float*> arrays;
  std::vector<std::vector<float*>> moments;  // [moment][array]
};

// One training: forward runs come from outside, or from stores for the models whose forward runs
// stay at the first weights.
class Trainer {
 public:
  Trainer(const Tape& tape, TrainerSettings settings);

  // A step on a batch, which may come in several frames, such as one for each sample: the gradients
  // of the mean over `batch` samples add up, from the `first` frame on, until apply() makes the
  // step. `output` (n, O) is the network's; `rows` say where its targets are. Returns the loss
  // before the step. Throws Error("NUMERICAL") when that is not finite.
  LossSum collect(const Frame& frame, const float* output, const Targets& targets,
                  const uint32_t* rows, int64_t batch, bool first, const Control& control);
  void apply(double rate);
  // Steps of `size` rows each, one per rate, on batches of a store.
  LossSum steps(FrameStore& store, const Targets& targets, const uint32_t* order, int64_t size,
                const std::vector<double>& rates, const Control& control);

  // Sums over samples [first, first + n). A null frame says that `output` is the model's own.
  LossSum evaluate(const Frame* frame, const float* output, const Targets& targets, int64_t first,
                   int64_t count, const Control& control);
  LossSum evaluate(FrameStore& store, const Targets& targets, int64_t block,
                   const Control& control);

  // The arrays were changed, or a step has changed them: call it before evaluate() of frames.
  void renew() {
    if (factors_) factors_->renew(false);
  }
  // The weights, or Δ, of one parameter as they are since renew().
  const float* present(int parameter);
  // Of an array, as of the last step.
  const float* gradient(size_t array);

  int64_t done = 0;  // steps

 private:
  LossSum stepped(const Frame& frame, const float* output, const Targets& targets,
                  const uint32_t* rows, double rate, const Control& control);
  // output + J·Δ (n, O).
  std::shared_ptr<float> linear(const Frame& frame, const float* output, const Control& control);
  LossSum collected(const Frame& frame, const float* output, const Targets& targets,
                    const uint32_t* rows, int64_t batch, bool first, const Control& control);
  void differentiate(const Frame& frame, const float* slope, const Control& control);
  void finish(double rate);

  const Tape& tape_;
  TrainerSettings settings_;
  std::vector<int64_t> outputs_;
  Pool pool_;
  std::optional<Factors> factors_;
  std::vector<std::shared_ptr<float>> slopes_;  // per parameter, of the weights or Δ
  std::vector<float*> targets_;                 // the same
  std::optional<GradientSink> sums_;            // of a step's batch so far
};

}  // namespace at
