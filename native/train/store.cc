#include "train/store.h"

#include <cstring>

#include "core/parallel.h"
#include "core/shape.h"

namespace at {

namespace {

size_t bytes_of(DataType type) {
  switch (type) {
    case DataType::kInt64:
      return 8;
    case DataType::kBool:
      return 1;
    default:
      return 4;
  }
}

}  // namespace

FrameStore::FrameStore(size_t values, std::vector<Growth> growth, int64_t samples, int64_t outputs)
    : samples_(samples),
      outputs_(outputs),
      output_(static_cast<size_t>(checked_mul(samples, outputs))) {
  frame_.values.resize(values);
  for (Growth& each : growth) {
    Value value;
    value.growth = std::move(each);
    value.type = value.growth.type;
    value.all = value.growth.given;
    value.has_data = value.all != nullptr;
    values_.push_back(std::move(value));
  }
}

Shape FrameStore::shape_of(const Value& value, int64_t count) const {
  Shape shape = value.growth.base;
  for (size_t d = 0; d < shape.size(); ++d) shape[d] += count * value.growth.slope[d];
  return shape;
}

void FrameStore::keep(Value& value, const Activation& activation, int64_t first, int64_t count) {
  const size_t unit = bytes_of(activation.type);
  const int64_t stride = value.growth.stride;
  if (!value.own) {
    value.type = activation.type;
    value.has_data = true;
    const int64_t size = stride > 0 ? element_count(shape_of(value, samples_)) : activation.size();
    value.own = std::make_unique<Memory>(static_cast<size_t>(size) * unit);
    value.all = value.own->data();
    if (stride == 0)
      std::memcpy(value.own->data(), activation.data, static_cast<size_t>(size) * unit);
  }
  if (stride == 0) return;
  const size_t bytes = static_cast<size_t>(stride) * unit;
  const auto* from = static_cast<const char*>(activation.data);
  auto* to = static_cast<char*>(value.own->data());
  const int64_t outer = activation.size() / (stride * count);
  for (int64_t o = 0; o < outer; ++o)
    std::memcpy(to + static_cast<size_t>(o * samples_ + first) * bytes,
                from + static_cast<size_t>(o * count) * bytes, static_cast<size_t>(count) * bytes);
}

void FrameStore::add(const Frame& frame, const float* output, int64_t first) {
  for (Value& value : values_) {
    const Activation& activation = frame.values[static_cast<size_t>(value.growth.id)];
    if (activation.data && !value.growth.given) keep(value, activation, first, frame.samples);
  }
  std::memcpy(output_.data() + first * outputs_, output,
              static_cast<size_t>(frame.samples * outputs_) * sizeof(float));
}

void FrameStore::shape_frame(int64_t count) {
  if (frame_.samples == count) return;
  frame_.samples = count;
  for (Value& value : values_) {
    Activation& activation = frame_.values[static_cast<size_t>(value.growth.id)];
    activation.shape = shape_of(value, count);
    activation.batch_stride = value.growth.stride;
    activation.type = value.type;
    value.picked = nullptr;
  }
}

const Frame& FrameStore::pick(const uint32_t* rows, int64_t count) {
  shape_frame(count);
  for (Value& value : values_) {
    if (!value.has_data) continue;
    Activation& activation = frame_.values[static_cast<size_t>(value.growth.id)];
    activation.data = value.all;
    const int64_t stride = value.growth.stride;
    if (stride == 0) continue;
    const size_t bytes = static_cast<size_t>(stride) * bytes_of(value.type);
    const int64_t outer = activation.size() / (stride * count);
    if (!value.picked)
      value.picked = std::make_unique<Memory>(static_cast<size_t>(outer * count) * bytes);
    const auto* from = static_cast<const char*>(value.all);
    auto* to = static_cast<char*>(value.picked->data());
    parallel_for(outer * count, grain_for(stride), [&](int64_t begin, int64_t end) {
      for (int64_t at = begin; at < end; ++at)
        std::memcpy(to + static_cast<size_t>(at) * bytes,
                    from + static_cast<size_t>(at / count * samples_ + rows[at % count]) * bytes,
                    bytes);
    });
    activation.data = to;
  }
  picked_outputs_.resize(static_cast<size_t>(count * outputs_));
  for (int64_t i = 0; i < count; ++i)
    std::memcpy(picked_outputs_.data() + i * outputs_, output_.data() + rows[i] * outputs_,
                static_cast<size_t>(outputs_) * sizeof(float));
  picked_output_ = picked_outputs_.data();
  return frame_;
}

const Frame& FrameStore::stretch(int64_t first, int64_t count) {
  std::vector<uint32_t> rows;
  shape_frame(count);
  for (Value& value : values_) {
    if (!value.has_data) continue;
    Activation& activation = frame_.values[static_cast<size_t>(value.growth.id)];
    const int64_t stride = value.growth.stride;
    if (stride > 0 && activation.size() != stride * count) {
      for (int64_t i = 0; i < count; ++i) rows.push_back(static_cast<uint32_t>(first + i));
      return pick(rows.data(), count);
    }
    activation.data = static_cast<const char*>(value.all) +
                      static_cast<size_t>(first * stride) * bytes_of(value.type);
  }
  picked_output_ = output_.data() + first * outputs_;
  return frame_;
}

}  // namespace at
