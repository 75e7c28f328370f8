#include "jobs/job.h"

#include <algorithm>

#include "core/error.h"
#include "core/parallel.h"
#include "device/stream.h"
#include "jobs/device_jacobian.h"
#include "reverse/on_device.h"
#include "reverse/pass.h"

namespace at {
inline namespace AT_PRECISION {

std::vector<int> parameter_uses(const Tape& tape) {
  std::vector<int> uses(tape.parameters.size(), 0);
  for (const Node& node : tape.nodes)
    for (int id : node.inputs)
      if (id >= 0 && tape.values[id].parameter >= 0) ++uses[tape.values[id].parameter];
  return uses;
}

std::string name_of(Passes passes) {
  switch (passes) {
    case Passes::kForward:
      return "forward";
    case Passes::kBoth:
      return "both";
    default:
      return "reverse";
  }
}

void Job::feed(const Frame& frame, std::shared_ptr<DeviceRun> run) {
  const Activation& output = frame.values[tape_.output];
  const int64_t available = outputs_per_sample(output, frame.samples);
  for (int64_t o : settings_.outputs) {
    if (o < 0 || o >= available) {
      throw Error("BAD_ARGUMENT", "Output " + std::to_string(o) +
                                      " does not exist: the network has " +
                                      std::to_string(available) + " outputs");
    }
  }
  try {
    compute_within_threads(frame, std::move(run));
  } catch (const OverBudget& error) {
    pool_.trim();
    if (shrink(frame.samples)) return;
    throw Error(
        "MEMORY_BUDGET",
        "A single sample with " + std::to_string(at_once_) + " of " +
            std::to_string(settings_.outputs.size()) + " outputs at once needs at least " +
            describe_bytes(error.needed) + " but the memory budget leaves " +
            describe_bytes(settings_.memory) +
            " in addition to the result; take fewer outputs or parameters at once, or raise "
            "the budget by at least " +
            describe_bytes(error.needed - std::min(error.needed, settings_.memory) + 1));
  }
}

// A device may be at work when this returns, while the next forward run is made: on this run, not
// on the one before it. When something fails that one counts, and what is under way must not run
// later.
void Job::compute_within_threads(const Frame& frame, std::shared_ptr<DeviceRun> run) {
  if (!settings_.stream) return with_threads(settings_.threads, [&] { compute(frame); });
  const device::Mark before = settings_.stream->mark();
  try {
    const bool whole = settings_.values->begin(std::move(run), next()->node);
    with_threads(settings_.threads, [&] { compute(frame); });
    if (whole) settings_.values->end();
    with_threads(settings_.threads, [&] { settings_.pending->settle_until(before); });
    settings_.stream->wait(before);
  } catch (...) {
    settings_.values->forget();
    with_threads(settings_.threads, [&] { settings_.pending->settle_until(before); });
    settings_.pending->forget();
    settings_.stream->wait(before);
    settings_.stream->abandon();
    throw;
  }
}

void Job::pass_on_device(const Frame& frame, int64_t count, std::shared_ptr<Real> seed,
                         DeviceSink& sink) {
  reverse_pass_on_device(tape_, frame, count, std::move(seed), pool_, settings_.control, sink,
                         *settings_.stream, *settings_.values);
}

const device::Counts* Job::device_counts() const {
  return settings_.stream ? &settings_.stream->counts() : nullptr;
}

device::MeasuredError Job::tf32_error() const {
  return settings_.stream ? settings_.stream->tf32_error() : device::MeasuredError{};
}

void Job::expanded_pass(const Frame& frame, const std::vector<int64_t>& outputs, JacobianSink& sink,
                        const std::vector<int>& uses) {
  const auto count = static_cast<int64_t>(outputs.size());
  auto seed = unit_seed(tape_, frame, outputs, pool_);
  if (!settings_.stream) {
    return reverse_pass(tape_, frame, count, std::move(seed), pool_, settings_.control, sink);
  }
  DeviceJacobianSink there(*settings_.stream, *settings_.pending, sink, parameter_sizes(frame),
                           uses, pool_);
  pass_on_device(frame, count, std::move(seed), there);
  there.finish();
}

void Job::settle_device() {
  if (!settings_.stream) return;
  settings_.pending->settle();
  settings_.stream->synchronise();
}

int64_t Job::kept_budget() const {
  const size_t memory = settings_.stream ? settings_.stream->limit() : settings_.memory;
  return static_cast<int64_t>(std::min<size_t>(memory / 2, INT64_MAX / 2));
}

bool Job::shrink(int64_t samples) {
  if (samples <= 1) return false;
  block_size_ = samples / 2;
  return true;
}

int64_t Job::bytes_per_cotangent() const {
  return 4 * (2 * settings_.extent.widest + settings_.extent.all / 2);
}

int64_t Job::outputs_at_once() const {
  const auto total = static_cast<int64_t>(settings_.outputs.size());
  if (settings_.output_block > 0) return std::min(total, settings_.output_block);
  const auto memory = static_cast<int64_t>(std::min<size_t>(settings_.memory, INT64_MAX / 2));
  const int64_t each = bytes_per_cotangent() + 1;
  if (total < (memory / 2 - bytes_per_sample()) / each) return total;
  return std::clamp<int64_t>((memory / 4 - bytes_per_sample()) / each, 1, total);
}

int64_t Job::block_memory() const {
  return static_cast<int64_t>(std::min<size_t>(settings_.memory / 4, size_t{1} << 30));
}

int64_t Job::samples_per_block(int64_t count) const {
  if (settings_.block > 0) return settings_.block;
  const int64_t bytes = count * bytes_per_cotangent() + bytes_per_sample();
  return std::max<int64_t>(1, std::min(block_memory() / bytes, kRowsOfBlock / count));
}

std::vector<int64_t> Job::parameter_sizes(const Frame& frame) const {
  std::vector<int64_t> sizes;
  for (int id : tape_.parameters) sizes.push_back(frame.values[id].size());
  return sizes;
}

SweepJob::SweepJob(const Tape& tape, JobSettings settings, int64_t count, Passes passes)
    : Job(tape, std::move(settings)), passes_(passes), by_outputs_(count <= 0) {
  at_once_ = by_outputs_ ? outputs_at_once() : static_cast<int64_t>(settings_.outputs.size());
  block_size_ = samples_per_block(by_outputs_ ? at_once_ : count);
  settings_.control.expect(settings_.samples);
}

bool SweepJob::shrink(int64_t samples) {
  if (Job::shrink(samples)) return true;
  if (!by_outputs_ || at_once_ <= 1) return false;
  at_once_ = (at_once_ + 1) / 2;
  return true;
}

std::optional<Want> SweepJob::next() {
  if (at_ >= settings_.samples) return std::nullopt;
  return Want{0, at_, std::min(block_size_, settings_.samples - at_), passes_};
}

void SweepJob::compute(const Frame& frame) {
  block(frame);
  at_ += frame.samples;
  settings_.control.advance(frame.samples);
  if (at_ < settings_.samples) return;
  settle_device();
  finish();
}

}  // namespace AT_PRECISION
}  // namespace at
