#include "reverse/device_values.h"

#include <stdexcept>

#include "rules/support/batch.h"

namespace at {
inline namespace AT_PRECISION {

bool DeviceValues::begin(std::shared_ptr<DeviceRun> run, int node) {
  if (run_ && !run) return false;
  run_ = run ? std::move(run) : std::make_shared<DeviceRun>();
  if (node != node_) weights_.clear();
  node_ = node;
  return true;
}

void DeviceValues::end() {
  stream_->synchronise();
  sending_.clear();
  run_.reset();
}

void DeviceValues::forget() {
  if (run_) run_->clear();
  run_.reset();
  weights_.clear();
}

DeviceNumbers DeviceValues::numbers(const Tape& tape, const Frame& frame, int id) {
  // Weights, too, where the run has its own: those that a training changes there.
  const auto own = run_->find(id);
  if (own != run_->end() && own->second) return own->second;
  DeviceNumbers& known = (tape.values[id].has_static_shape ? weights_ : *run_)[id];
  if (known) return known;
  const Activation& value = frame.values[id];
  if (!value.data) throw std::logic_error("a device rule reads what needs() does not name");
  const Real* numbers = value.reals();
  if (value.type != DataType::kFloat) {
    const std::vector<int64_t> integers = integers_of(value);
    sending_.push_back({integers.begin(), integers.end()});
    numbers = sending_.back().data();
  }
  known = stream_->take<Real>(value.size());
  stream_->upload(known.at(), numbers, value.size());
  return known;
}

}  // namespace AT_PRECISION
}  // namespace at
