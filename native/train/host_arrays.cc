#include "train/host_arrays.h"

#include <algorithm>

#include "forward/pass.h"
#include "reverse/pass.h"

namespace at {

namespace {

// Gradients of factors: straight from δ and h where that is cheaper, otherwise through Δ's.
class FactorSink final : public FeatureSink {
 public:
  FactorSink(Factors& factors, GradientSink& formed) : factors_(factors), formed_(formed) {}

  void matrix(int parameter, MatrixUse use) override {
    if (!factors_.add(parameter, use)) return formed_.matrix(parameter, std::move(use));
    formed_.bias(use);
  }
  void dense(int parameter, int64_t count, int64_t samples,
             std::shared_ptr<float> features) override {
    formed_.dense(parameter, count, samples, std::move(features));
  }

 private:
  Factors& factors_;
  GradientSink& formed_;
};

class Given final : public Directions {
 public:
  explicit Given(const std::vector<float*>& arrays) : arrays_(arrays) {}
  bool zero(int) const override { return false; }
  const float* dense(int parameter) override { return arrays_[static_cast<size_t>(parameter)]; }

 private:
  const std::vector<float*>& arrays_;
};

}  // namespace

HostArrays::HostArrays(const Tape& tape, const TrainerSettings& settings, Pool& pool)
    : tape_(tape), settings_(settings), pool_(pool) {
  if (settings.model == TrainedModel::kAdaptive)
    factors_.emplace(settings.sizes, settings.layouts, settings.arrays, pool);
  // Of the factors' formed gradients the memory comes when they are needed.
  for (int64_t size : settings.sizes) slopes_.push_back(factors_ ? nullptr : pool.floats(size));
  for (const auto& own : slopes_) targets_.push_back(own.get());
}

void HostArrays::begin() {
  if (factors_) factors_->renew(true);
  sums_.emplace(settings_.sizes, 1, pool_, targets_);
}

void HostArrays::over_frame(const std::function<void()>& work) {
  if (factors_) factors_->forget();
  work();
}

std::shared_ptr<float> HostArrays::tangent(const Frame& frame, const Control& control) {
  Given given(settings_.arrays);
  Directions& directions = factors_ ? static_cast<Directions&>(*factors_) : given;
  return forward_pass(tape_, frame, 1, directions, pool_, control);
}

void HostArrays::reverse(const Frame& frame, std::shared_ptr<float> seed, const Control& control) {
  if (factors_) {
    FactorSink sink(*factors_, *sums_);
    reverse_pass(tape_, frame, 1, std::move(seed), pool_, control, sink);
  } else {
    reverse_pass(tape_, frame, 1, std::move(seed), pool_, control, *sums_);
  }
}

void HostArrays::step(double rate, int64_t number) {
  for (size_t p = 0; p < settings_.sizes.size(); ++p) {
    const float* sum = sums_->sum(static_cast<int>(p));
    if (factors_) {
      if (sum) factors_->add(static_cast<int>(p), sum);
    } else if (!sum) {
      std::fill(targets_[p], targets_[p] + settings_.sizes[p], 0.0f);
    }
  }
  sums_.reset();
  const auto& arrays = settings_.arrays;
  const auto& moments = settings_.moments;
  for (size_t a = 0; a < arrays.size(); ++a) {
    const int64_t count = factors_ ? factors_->counts()[a] : settings_.sizes[a];
    const float* gradient = factors_ ? factors_->gradient(a) : targets_[a];
    settings_.optimizer.step(count, arrays[a], gradient, moments[0][a],
                             moments.size() > 1 ? moments[1][a] : nullptr, rate, number);
  }
}

const float* HostArrays::present(int parameter) {
  return factors_ ? factors_->dense(parameter) : settings_.arrays[static_cast<size_t>(parameter)];
}

}  // namespace at
