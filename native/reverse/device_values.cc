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
  if (value.type == DataType::kFloat) return known = stream_->send(value.reals(), value.size());
  const std::vector<int64_t> integers = integers_of(value);
  const std::vector<Real> numbers(integers.begin(), integers.end());
  return known = stream_->send(numbers.data(), value.size());
}

}  // namespace AT_PRECISION
}  // namespace at
