#pragma once

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "core/buffer.h"
#include "core/control.h"
#include "device/pending.h"
#include "graph/tape.h"
#include "reverse/device_values.h"

namespace at {
inline namespace AT_PRECISION {

class DeviceSink;
class JacobianSink;

// Elements of one sample, for sizing blocks: of the values around the widest node, and of all
// values on the tape.
struct Extent {
  int64_t widest = 0;
  int64_t all = 0;
};

// What every job is told.
struct JobSettings {
  Extent extent;
  int64_t samples = 0;
  int64_t forward = 0;           // bytes that a forward run holds for each sample
  std::vector<int64_t> outputs;  // flat indices of the outputs wanted
  int threads = 0;
  size_t memory = SIZE_MAX;  // bytes in addition to the results
  int64_t block = 0;         // forced block size in samples; 0: chosen
  int64_t output_block = 0;  // forced number of outputs at once; 0: chosen
  Control control;
  std::shared_ptr<device::Stream> stream;  // of the device to compute on; null: the processor
  // That device's, of the job and those it is made of.
  std::shared_ptr<DeviceValues> values;
  std::shared_ptr<device::Pending> pending;
};

// Which passes a forward run's numbers are read by.
enum class Passes { kReverse, kForward, kBoth };
std::string name_of(Passes passes);

// Samples [first, first + count) of one of the two inputs.
struct Want {
  int side = 0;
  int64_t first = 0;
  int64_t count = 0;
  Passes passes = Passes::kReverse;
  int node = 0;  // of the path, where there is one
};

// How many inputs of nodes each parameter is.
std::vector<int> parameter_uses(const Tape& tape);

// What a job tells in addition to its results: numbers, texts, and memory that it made, by name.
using Blocks = std::vector<std::shared_ptr<Memory>>;
using ReportValue =
    std::variant<int64_t, double, bool, std::string, std::shared_ptr<Memory>, Blocks>;
using Record = std::vector<std::pair<const char*, ReportValue>>;

// A computation that asks for forward runs, one block of samples after another.
class Job {
 public:
  Job(const Tape& tape, JobSettings settings)
      : tape_(tape), settings_(std::move(settings)), pool_(settings_.memory) {}
  // A part of another job, whose memory it uses.
  Job(const Tape& tape, JobSettings settings, const Pool& pool)
      : tape_(tape), settings_(std::move(settings)), pool_(pool) {}
  virtual ~Job() = default;
  Job(const Job&) = delete;
  Job& operator=(const Job&) = delete;

  // Null when all is done.
  virtual std::optional<Want> next() = 0;
  // The forward run of what next() asked for. Checks it, then computes. Where the memory budget
  // does not allow that many samples, next() asks for the same ones again in a smaller block; where
  // not even one sample fits, fewer outputs are carried at once.
  // `run`: what the job's device has of it, where it is kept for later.
  void feed(const Frame& frame, std::shared_ptr<DeviceRun> run = nullptr);
  virtual std::vector<std::string> methods() const { return {}; }
  // Once next() has returned null.
  virtual std::vector<Record> report() const { return {}; }
  // Of a job that gives its result in tiles the next one that is whole; null: none is.
  virtual std::optional<Record> take_tile() { return std::nullopt; }
  virtual size_t peak_bytes() const { return pool_.peak_bytes(); }
  // What was asked of the device so far; null without one.
  const device::Counts* device_counts() const;
  // Of a job on a device; nothing was sampled where its products are in float32.
  device::MeasuredError tf32_error() const;

 protected:
  // Changes nothing but scratch and results when it throws.
  virtual void compute(const Frame& frame) = 0;
  // Samples per block such that a pass with `count` cotangents stays near a quarter of the budget
  // and in the caches' reach.
  int64_t samples_per_block(int64_t count) const;
  // What a pass over a block should take at most: in bytes, and of cotangents of its samples.
  int64_t block_memory() const;
  static constexpr int64_t kRowsOfBlock = 4096;
  // What a pass over one sample takes in bytes: for each cotangent, and whatever their number.
  int64_t bytes_per_cotangent() const;
  int64_t bytes_per_sample() const {
    return std::max(4 * 2 * settings_.extent.all, settings_.forward) + 1;
  }
  // Outputs at once for a job that may carry them in blocks: all, where those of one sample fit
  // well.
  int64_t outputs_at_once() const;
  // A pass over that many samples did not fit: asks for less from now on. False where it cannot.
  virtual bool shrink(int64_t samples);
  // Bytes of features that may be kept for later blocks.
  int64_t kept_budget() const;
  std::vector<int64_t> parameter_sizes(const Frame& frame) const;
  // Carries cotangents back on the device.
  void pass_on_device(const Frame& frame, int64_t count, std::shared_ptr<Real> seed,
                      DeviceSink& sink);
  // A pass of these outputs, on the job's device, whose features are all written to a sink: there
  // they are on their way when this returns, see settle_device().
  void expanded_pass(const Frame& frame, const std::vector<int64_t>& outputs, JacobianSink& sink,
                     const std::vector<int>& uses);
  // Waits until all is there that a device was asked for.
  void settle_device();

  const Tape& tape_;
  JobSettings settings_;
  Pool pool_;
  int64_t block_size_ = 1;
  int64_t at_once_ = 1;  // outputs carried in one pass

 private:
  void compute_within_threads(const Frame& frame, std::shared_ptr<DeviceRun> run);
};

// A job that runs every block of X once, in order.
class SweepJob : public Job {
 public:
  // `count` cotangents or tangents are carried at once; 0: one for every output of a block of them,
  // see blocks_of_outputs().
  SweepJob(const Tape& tape, JobSettings settings, int64_t count, Passes passes = Passes::kReverse);
  std::optional<Want> next() final;

 protected:
  void compute(const Frame& frame) final;
  // The samples [at_, at_ + frame.samples); like compute() when it throws.
  virtual void block(const Frame& frame) = 0;
  // After the last block.
  virtual void finish() {}
  bool shrink(int64_t samples) final;

  int64_t at_ = 0;

 private:
  Passes passes_;
  bool by_outputs_;
};

// body(outputs, first) for the outputs wanted, at most `size` of them at a time.
template <class Body>
void blocks_of_outputs(const std::vector<int64_t>& outputs, int64_t size, const Body& body) {
  const auto total = static_cast<int64_t>(outputs.size());
  for (int64_t first = 0; first < total; first += size) {
    const auto begin = outputs.begin() + first;
    body(std::vector<int64_t>(begin, begin + std::min(size, total - first)), first);
  }
}

}  // namespace AT_PRECISION
}  // namespace at
