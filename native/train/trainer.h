#pragma once

#include <memory>
#include <vector>

#include "core/control.h"
#include "train/arrays.h"
#include "train/loss.h"
#include "train/store.h"

namespace at {

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
  void renew() { arrays_->renew(); }
  // The arrays were changed from outside.
  void send();
  // From now on the arrays and moments are as after the last step, where a device has them, too.
  void fetch();
  // The weights, or Δ, of one parameter as they are since fetch() and renew().
  const float* present(int parameter);
  // What was asked of the device; null without one.
  const device::Counts* device_counts() const {
    return settings_.stream ? &settings_.stream->counts() : nullptr;
  }

  int64_t done = 0;  // steps

 private:
  LossSum stepped(const Frame& frame, const float* output, const Targets& targets,
                  const uint32_t* rows, double rate, const Control& control);
  // output + J·Δ (n, O).
  std::shared_ptr<float> linear(const Frame& frame, const float* output, const Control& control);
  LossSum collected(const Frame& frame, const float* output, const Targets& targets,
                    const uint32_t* rows, int64_t batch, bool first, const Control& control);
  LossSum passes(const Frame& frame, const float* output, const Targets& targets,
                 const uint32_t* rows, int64_t batch, const Control& control);
  void finish(double rate);

  const Tape& tape_;
  TrainerSettings settings_;
  std::vector<int64_t> outputs_;
  Pool pool_;
  std::unique_ptr<TrainedArrays> arrays_;
  int64_t batch_ = 0;  // samples of the step that has begun
};

}  // namespace at
