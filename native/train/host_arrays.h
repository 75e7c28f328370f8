#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "jobs/gradient.h"
#include "train/arrays.h"

namespace at {

// Those of the processor: the arrays of TrainerSettings themselves.
class HostArrays final : public TrainedArrays {
 public:
  HostArrays(const Tape& tape, const TrainerSettings& settings, Pool& pool);

  void begin() override;
  void over_frame(const std::function<void()>& work) override;
  std::shared_ptr<float> tangent(const Frame& frame, const Control& control) override;
  void reverse(const Frame& frame, std::shared_ptr<float> seed, const Control& control) override;
  void step(double rate, int64_t number) override;
  void send() override {}
  void fetch() override {}
  void renew() override {
    if (factors_) factors_->renew(false);
  }
  const float* present(int parameter) override;

 private:
  const Tape& tape_;
  const TrainerSettings& settings_;
  Pool& pool_;
  std::optional<Factors> factors_;
  std::vector<std::shared_ptr<float>> slopes_;  // per parameter, of the weights or Δ
  std::vector<float*> targets_;                 // the same
  std::optional<GradientSink> sums_;            // of a step's batch so far
};

}  // namespace at
