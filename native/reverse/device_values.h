#pragma once

#include <map>
#include <memory>
#include <utility>

#include "device/stream.h"
#include "graph/tape.h"
#include "rules/device/rule.h"

namespace at {
inline namespace AT_PRECISION {

// What a device has of one forward run, by value.
using DeviceRun = std::map<int, DeviceNumbers>;

// What a device has of a job's forward runs: the numbers that its rules read, which go up when they
// are first read. Those of a run stay as long as that is kept, for all passes and jobs on the same
// device; those of weights and constants, for all runs of a job.
class DeviceValues {
 public:
  explicit DeviceValues(std::shared_ptr<device::Stream> stream) : stream_(std::move(stream)) {}

  // A run is to be read, with the weights of that node of a path. False where one is read already
  // and none is given: a job is a part of another.
  bool begin(std::shared_ptr<DeviceRun> run, int node);
  void end() { run_.reset(); }
  // After a failure: what is here may never have arrived.
  void forget();
  DeviceNumbers numbers(const Tape& tape, const Frame& frame, int id);

 private:
  std::shared_ptr<device::Stream> stream_;
  std::shared_ptr<DeviceRun> run_;
  DeviceRun weights_;
  int node_ = 0;
};

}  // namespace AT_PRECISION
}  // namespace at
