#include "train/trainer.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/error.h"
#include "core/parallel.h"
#include "forward/pass.h"
#include "reverse/pass.h"
#include "train/device_arrays.h"
#include "train/host_arrays.h"

namespace at {

namespace {

// Says what to do where the memory does not suffice.
template <class Work>
auto within_budget(const std::string& what, Pool& pool, const Work& work) {
  try {
    return work();
  } catch (const OverBudget&) {
    pool.trim();
    throw Error("MEMORY_BUDGET", what);
  }
}

std::string too_large(int64_t samples) {
  return "A batch of " + std::to_string(samples) +
         " does not fit the memory budget; take a smaller one, or raise the budget";
}

std::unique_ptr<TrainedArrays> arrays_of(const Tape& tape, const TrainerSettings& settings,
                                         Pool& pool) {
  if (!settings.stream) return std::make_unique<HostArrays>(tape, settings, pool);
  return within_budget(
      "What is trained and its optimizer's moments do not fit the memory budget; raise it", pool,
      [&] { return std::make_unique<DeviceArrays>(tape, settings, pool); });
}

}  // namespace

Trainer::Trainer(const Tape& tape, TrainerSettings settings)
    : tape_(tape),
      settings_(std::move(settings)),
      outputs_(static_cast<size_t>(settings_.outputs)),
      pool_(settings_.memory) {
  std::iota(outputs_.begin(), outputs_.end(), 0);
  arrays_ = arrays_of(tape_, settings_, pool_);
}

LossSum Trainer::steps(FrameStore& store, const Targets& targets, const uint32_t* order,
                       int64_t size, const std::vector<double>& rates, const Control& control) {
  return with_threads(settings_.threads, [&] {
    LossSum sum;
    for (size_t s = 0; s < rates.size(); ++s) {
      const uint32_t* rows = order + static_cast<int64_t>(s) * size;
      const Frame& frame = store.pick(rows, size);
      sum += within_budget(too_large(size), pool_, [&] {
        return stepped(frame, store.output(), targets, rows, rates[s], control);
      });
    }
    return sum;
  });
}

LossSum Trainer::collect(const Frame& frame, const float* output, const Targets& targets,
                         const uint32_t* rows, int64_t batch, bool first, const Control& control) {
  return with_threads(settings_.threads, [&] {
    return within_budget(too_large(frame.samples), pool_, [&] {
      return collected(frame, output, targets, rows, batch, first, control);
    });
  });
}

void Trainer::apply(double rate) {
  if (batch_ == 0) throw Error("FAILED", "A step needs the gradients of a batch");
  with_threads(settings_.threads, [&] {
    within_budget(too_large(batch_), pool_, [&] { finish(rate); });
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
  if (first) {
    arrays_->begin();
    batch_ = batch;
  } else if (batch_ == 0) {
    throw Error("FAILED", "A step begins with its first frame");
  }
  LossSum sum;
  arrays_->over_frame([&] { sum = passes(frame, output, targets, rows, batch, control); });
  return sum;
}

LossSum Trainer::passes(const Frame& frame, const float* output, const Targets& targets,
                        const uint32_t* rows, int64_t batch, const Control& control) {
  const bool full = settings_.model == TrainedModel::kFull;
  const auto changed = full ? nullptr : linear(frame, output, control);
  auto slope = pool_.floats(checked_mul(frame.samples, settings_.outputs));
  const LossSum sum = loss_of(targets, rows, frame.samples, settings_.outputs,
                              full ? output : changed.get(), slope.get(), batch);
  if (!std::isfinite(sum.loss)) {
    throw Error("NUMERICAL",
                "Expected a finite loss but training diverged; lower the learning rate");
  }
  arrays_->reverse(frame, weighted_seed(tape_, frame, outputs_, 1, slope.get(), pool_), control);
  return sum;
}

void Trainer::finish(double rate) {
  batch_ = 0;
  arrays_->step(rate, done + 1);
  ++done;
}

std::shared_ptr<float> Trainer::linear(const Frame& frame, const float* output,
                                       const Control& control) {
  const int64_t count = checked_mul(frame.samples, settings_.outputs);
  const auto tangent = arrays_->tangent(frame, control);
  auto result = pool_.floats(count);
  read_tangent(frame.values[tape_.output], frame.samples, outputs_, 1, tangent.get(), result.get());
  for (int64_t e = 0; e < count; ++e) result.get()[e] += output[e];
  return result;
}

LossSum Trainer::evaluate(const Frame* frame, const float* output, const Targets& targets,
                          int64_t first, int64_t count, const Control& control) {
  control.poll();
  std::vector<uint32_t> rows(static_cast<size_t>(count));
  std::iota(rows.begin(), rows.end(), static_cast<uint32_t>(first));
  if (!frame)
    return loss_of(targets, rows.data(), count, settings_.outputs, output, nullptr, count);
  return with_threads(settings_.threads, [&] {
    return within_budget(too_large(count), pool_, [&] {
      LossSum sum;
      arrays_->over_frame([&] {
        const auto changed = linear(*frame, output, control);
        sum =
            loss_of(targets, rows.data(), count, settings_.outputs, changed.get(), nullptr, count);
      });
      return sum;
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

void Trainer::send() {
  with_threads(settings_.threads, [&] {
    arrays_->send();
    return 0;
  });
}

void Trainer::fetch() {
  with_threads(settings_.threads, [&] {
    arrays_->fetch();
    return 0;
  });
}

const float* Trainer::present(int parameter) {
  return with_threads(settings_.threads, [&] { return arrays_->present(parameter); });
}

}  // namespace at
