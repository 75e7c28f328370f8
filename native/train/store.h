#pragma once

#include <cstdint>
#include <vector>

#include "core/buffer.h"
#include "graph/tape.h"

namespace at {

// The values of forward runs at weights that stay, kept so that no sample is run twice: batches of
// any rows are put together from them.
class FrameStore {
 public:
  // How a value grows with the number of samples: dimension d is base[d] + n·slope[d].
  struct Growth {
    int id = 0;
    Shape base, slope;
    int64_t stride = 0;  // Activation::batch_stride for any number of samples
    // Numbers that the caller keeps for all samples (an input of the network), or null.
    const void* given = nullptr;
    DataType type = DataType::kFloat;  // of those
  };

  // `values` are those of Tape::values that frames have; outputs per sample.
  FrameStore(size_t values, std::vector<Growth> growth, int64_t samples, int64_t outputs);

  // The run of samples [first, first + frame.samples) and the network's output (n, O).
  void add(const Frame& frame, const float* output, int64_t first);

  int64_t samples() const { return samples_; }
  // A batch of these rows and its output (n, O); both are valid until the next call.
  const Frame& pick(const uint32_t* rows, int64_t count);
  const float* output() const { return picked_output_; }
  // The same of samples [first, first + count).
  const Frame& stretch(int64_t first, int64_t count);

 private:
  struct Value {
    Growth growth;
    DataType type = DataType::kFloat;
    bool has_data = false;
    std::unique_ptr<Memory> own;     // of all samples, or of an unbatched value
    const void* all = nullptr;       // own, or what was given
    std::unique_ptr<Memory> picked;  // of a batch
  };
  Shape shape_of(const Value& value, int64_t count) const;
  void keep(Value& value, const Activation& activation, int64_t first, int64_t count);
  void shape_frame(int64_t count);

  std::vector<Value> values_;
  int64_t samples_;
  int64_t outputs_;
  std::vector<float> output_;
  std::vector<float> picked_outputs_;
  const float* picked_output_ = nullptr;
  Frame frame_;
};

}  // namespace at
