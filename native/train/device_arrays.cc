#include "train/device_arrays.h"

#include "device/functions/fill.h"
#include "device/launch.h"
#include "forward/on_device.h"

namespace at {

DeviceArrays::DeviceArrays(const Tape& tape, const TrainerSettings& settings, Pool& pool)
    : tape_(tape),
      settings_(settings),
      pool_(pool),
      stream_(settings.stream),
      values_(settings.stream) {
  send();
}

// What was asked for before, such as a step, is done whatever happens now.
template <class Work>
void DeviceArrays::whole(const Work& work) {
  const device::Mark before = stream_->mark();
  try {
    work();
  } catch (...) {
    values_.forget();
    changes_.clear();
    stream_->wait(before);
    stream_->abandon();
    throw;
  }
}

void DeviceArrays::send() {
  const bool adaptive = settings_.model == TrainedModel::kAdaptive;
  const std::vector<int64_t> counts =
      adaptive ? array_sizes(settings_.sizes, settings_.layouts) : settings_.sizes;
  const auto sent = [&](const std::vector<float*>& from) {
    std::vector<DeviceNumbers> all;
    for (size_t a = 0; a < counts.size(); ++a) all.push_back(stream_->send(from[a], counts[a]));
    return all;
  };
  factors_.reset();
  changes_.clear();
  arrays_.clear();
  moments_.clear();
  whole([&] {
    arrays_ = sent(settings_.arrays);
    for (const auto& moment : settings_.moments) moments_.push_back(sent(moment));
    if (adaptive) factors_.emplace(stream_, settings_.sizes, settings_.layouts, arrays_);
    stream_->synchronise();
  });
}

void DeviceArrays::fetch() {
  const auto down = [&](float* to, const DeviceNumbers& from) {
    stream_->bring(to, device::Pointer<const float>(from.at()), from.size());
  };
  whole([&] {
    for (size_t a = 0; a < arrays_.size(); ++a) {
      // Weights came down with the step.
      if (settings_.model != TrainedModel::kFull) down(settings_.arrays[a], arrays_[a]);
      for (size_t m = 0; m < moments_.size(); ++m) down(settings_.moments[m][a], moments_[m][a]);
    }
    stream_->synchronise();
  });
}

void DeviceArrays::begin() { sums_ = DeviceGradientSums(); }

void DeviceArrays::over_frame(const std::function<void()>& work) {
  auto run = std::make_shared<DeviceRun>();
  // Weights that are trained are there already.
  for (size_t p = 0; settings_.model == TrainedModel::kFull && p < arrays_.size(); ++p)
    (*run)[tape_.parameters[p]] = arrays_[p];
  whole([&] {
    values_.begin(run, 0);
    work();
    values_.end();
  });
}

const std::vector<DeviceNumbers>& DeviceArrays::changes() {
  if (!factors_) return arrays_;
  if (changes_.empty()) {
    changes_ = factors_->changes();
  }
  return changes_;
}

std::shared_ptr<float> DeviceArrays::tangent(const Frame& frame, const Control& control) {
  DeviceDirections directions(stream_, changes());
  const OutputTangent tangent =
      forward_pass_on_device(tape_, frame, 1, directions, pool_, control, *stream_, values_);
  stream_->synchronise();
  return tangent.here;
}

void DeviceArrays::reverse(const Frame& frame, std::shared_ptr<float> seed,
                           const Control& control) {
  DeviceGradientSink sink(*stream_, settings_.sizes, 1, pool_);
  reverse_pass_on_device(tape_, frame, 1, std::move(seed), pool_, control, sink, *stream_, values_);
  sums_.add(sink);
}

std::vector<DeviceNumbers> DeviceArrays::collected() {
  std::vector<DeviceNumbers> found = sums_.rounded(*stream_);
  sums_ = DeviceGradientSums();
  found.resize(settings_.sizes.size());
  if (factors_) found = factors_->pulled(found);
  for (size_t a = 0; a < arrays_.size(); ++a) {
    if (found[a]) continue;
    const int64_t count = arrays_[a].size();
    found[a] = stream_->take<float>(count);
    device::for_rows(*stream_, 1, count, device::Fill<float>{found[a].at(), count, 0});
  }
  return found;
}

// Weights of the next forward run are waited for; of the other models that is made meanwhile.
void DeviceArrays::step(double rate, int64_t number) {
  const bool full = settings_.model == TrainedModel::kFull;
  whole([&] {
    // All memory first: a step is made whole, or not at all.
    const std::vector<DeviceNumbers> gradients = collected();
    for (size_t a = 0; a < arrays_.size(); ++a) {
      const DeviceNumbers& second = moments_.back()[a];
      settings_.optimizer.step(*stream_, arrays_[a], gradients[a], moments_[0][a], second, rate,
                               number);
      if (full)
        stream_->bring(settings_.arrays[a], device::Pointer<const float>(arrays_[a].at()),
                       arrays_[a].size());
    }
    if (full) stream_->synchronise();
  });
  changes_.clear();
}

const float* DeviceArrays::present(int parameter) {
  const auto p = static_cast<size_t>(parameter);
  if (!factors_) return settings_.arrays[p];
  whole([&] {
    const DeviceNumbers& change = changes()[p];
    fetched_.resize(static_cast<size_t>(change.size()));
    stream_->fetch(fetched_.data(), change, change.size());
  });
  return fetched_.data();
}

}  // namespace at
