#include "train/trainer.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/error.h"
#include "core/parallel.h"
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

// Says what to do where the memory does not suffice.
template <class Work>
auto within_budget(int64_t samples, Pool& pool, const Work& work) {
  try {
    return work();
  } catch (const OverBudget&) {
    pool.trim();
    throw Error("MEMORY_BUDGET", "A batch of " + std::to_string(samples) +
                                     " does not fit the memory budget; take a smaller one, or "
                                     "raise the budget");
  }
}

}  // namespace

Trainer::Trainer(const Tape& tape, TrainerSettings settings)
    : tape_(tape),
      settings_(std::move(settings)),
      outputs_(static_cast<size_t>(settings_.outputs)),
      pool_(settings_.memory) {
  std::iota(outputs_.begin(), outputs_.end(), 0);
  if (settings_.model == TrainedModel::kAdaptive)
    factors_.emplace(settings_.sizes, settings_.layouts, settings_.arrays, pool_);
  // Of the factors' formed gradients the memory comes when they are needed.
  for (int64_t size : settings_.sizes) slopes_.push_back(factors_ ? nullptr : pool_.floats(size));
  for (const auto& own : slopes_) targets_.push_back(own.get());
}

LossSum Trainer::steps(FrameStore& store, const Targets& targets, const uint32_t* order,
                       int64_t size, const std::vector<double>& rates, const Control& control) {
  return with_threads(settings_.threads, [&] {
    LossSum sum;
    for (size_t s = 0; s < rates.size(); ++s) {
      const uint32_t* rows = order + static_cast<int64_t>(s) * size;
      const Frame& frame = store.pick(rows, size);
      sum += within_budget(size, pool_, [&] {
        return stepped(frame, store.output(), targets, rows, rates[s], control);
      });
    }
    return sum;
  });
}

LossSum Trainer::collect(const Frame& frame, const float* output, const Targets& targets,
                         const uint32_t* rows, int64_t batch, bool first, const Control& control) {
  return with_threads(settings_.threads, [&] {
    return within_budget(frame.samples, pool_, [&] {
      return collected(frame, output, targets, rows, batch, first, control);
    });
  });
}

void Trainer::apply(double rate) {
  if (!sums_) throw Error("FAILED", "A step needs the gradients of a batch");
  with_threads(settings_.threads, [&] {
    finish(rate);
    return 0;
  });
}

LossSum Trainer::stepped(const Frame& frame, const float* output, const Targets& targets,
                         const uint32_t* rows, double rate, const Control& control) {
  const LossSum sum = collected(frame, output, targets, rows, frame.samples, true, control);
  finish(rate);
  return sum;
}

LossSum Trainer::collected(const Frame& frame, const float* output, const Targets& targets,
                           const uint32_t* rows, int64_t batch, bool first,
                           const Control& control) {
  control.poll();
  if (factors_) factors_->forget();
  if (first) {
    if (factors_) factors_->renew(true);
    sums_.emplace(settings_.sizes, 1, pool_, targets_);
  } else if (!sums_) {
    throw Error("FAILED", "A step begins with its first frame");
  }
  const bool full = settings_.model == TrainedModel::kFull;
  const auto changed = full ? nullptr : linear(frame, output, control);
  auto slope = pool_.floats(checked_mul(frame.samples, settings_.outputs));
  const LossSum sum = loss_of(targets, rows, frame.samples, settings_.outputs,
                              full ? output : changed.get(), slope.get(), batch);
  if (!std::isfinite(sum.loss)) {
    throw Error("NUMERICAL",
                "Expected a finite loss but training diverged; lower the learning rate");
  }
  differentiate(frame, slope.get(), control);
  return sum;
}

void Trainer::finish(double rate) {
  for (size_t p = 0; p < settings_.sizes.size(); ++p) {
    const float* sum = sums_->sum(static_cast<int>(p));
    if (factors_) {
      if (sum) factors_->add(static_cast<int>(p), sum);
    } else if (!sum) {
      std::fill(targets_[p], targets_[p] + settings_.sizes[p], 0.0f);
    }
  }
  sums_.reset();
  ++done;
  const auto& arrays = settings_.arrays;
  for (size_t a = 0; a < arrays.size(); ++a) {
    const int64_t count = factors_ ? factors_->counts()[a] : settings_.sizes[a];
    settings_.optimizer.step(count, arrays[a], gradient(a), settings_.moments[0][a],
                             settings_.moments.size() > 1 ? settings_.moments[1][a] : nullptr, rate,
                             done);
  }
}

std::shared_ptr<float> Trainer::linear(const Frame& frame, const float* output,
                                       const Control& control) {
  const int64_t count = checked_mul(frame.samples, settings_.outputs);
  Given given(settings_.arrays);
  Directions& directions = factors_ ? static_cast<Directions&>(*factors_) : given;
  const auto tangent = forward_pass(tape_, frame, 1, directions, pool_, control);
  auto result = pool_.floats(count);
  read_tangent(tape_, frame, outputs_, 1, tangent.get(), result.get());
  for (int64_t e = 0; e < count; ++e) result.get()[e] += output[e];
  return result;
}

void Trainer::differentiate(const Frame& frame, const float* slope, const Control& control) {
  auto seed = weighted_seed(tape_, frame, outputs_, 1, slope, pool_);
  if (factors_) {
    FactorSink sink(*factors_, *sums_);
    reverse_pass(tape_, frame, 1, std::move(seed), pool_, control, sink);
  } else {
    reverse_pass(tape_, frame, 1, std::move(seed), pool_, control, *sums_);
  }
}

LossSum Trainer::evaluate(const Frame* frame, const float* output, const Targets& targets,
                          int64_t first, int64_t count, const Control& control) {
  control.poll();
  std::vector<uint32_t> rows(static_cast<size_t>(count));
  std::iota(rows.begin(), rows.end(), static_cast<uint32_t>(first));
  if (!frame)
    return loss_of(targets, rows.data(), count, settings_.outputs, output, nullptr, count);
  return with_threads(settings_.threads, [&] {
    return within_budget(count, pool_, [&] {
      const auto changed = linear(*frame, output, control);
      return loss_of(targets, rows.data(), count, settings_.outputs, changed.get(), nullptr, count);
    });
  });
}

LossSum Trainer::evaluate(FrameStore& store, const Targets& targets, int64_t block,
                          const Control& control) {
  LossSum sum;
  for (int64_t first = 0; first < store.samples(); first += block) {
    const int64_t count = std::min(block, store.samples() - first);
    const Frame& frame = store.stretch(first, count);
    sum += evaluate(&frame, store.output(), targets, first, count, control);
  }
  return sum;
}

const float* Trainer::present(int parameter) {
  const auto p = static_cast<size_t>(parameter);
  if (!factors_) return settings_.arrays[p];
  return with_threads(settings_.threads, [&] { return factors_->dense(parameter); });
}

const float* Trainer::gradient(size_t array) {
  return factors_ ? factors_->gradient(array) : slopes_[array].get();
}

}  // namespace at
