#include "binding/frame.h"

#include "binding/convert.h"
#include "core/parallel.h"
#include "rules/support/logistic.h"

namespace at {
inline namespace AT_PRECISION {

DataType type_of(const Napi::TypedArray& array) {
  switch (array.TypedArrayType()) {
    case kRealArray:
      return DataType::kFloat;
    case napi_bigint64_array:
      return DataType::kInt64;
    case napi_int32_array:
      return DataType::kInt32;
    case napi_uint8_array:
      return DataType::kBool;
    default:
      return DataType::kOther;
  }
}

Napi::Function FrameObject::define(Napi::Env env) {
  return DefineClass(env, "Frame", {InstanceMethod("release", &FrameObject::release)});
}

FrameObject::FrameObject(const Napi::CallbackInfo& info) : Napi::ObjectWrap<FrameObject>(info) {}

void FrameObject::fill(const EngineState& state, int64_t samples, const Napi::Array& values,
                       Passes passes) {
  const Tape& tape = state.analysis.tape;
  if (samples < 1) throw Error("BAD_INPUT", "A forward run needs at least one sample");
  frame_.samples = samples;
  frame_.values.assign(tape.values.size(), Activation());
  std::vector<bool> given(tape.values.size(), false);
  for (uint32_t i = 0; i < values.Length(); ++i) {
    const Napi::Object value = values.Get(i).ToObject();
    const int64_t id = to_int64(value.Get("id"), "id");
    if (id < 0 || id >= static_cast<int64_t>(given.size()))
      throw Error("BAD_ARGUMENT", "A value of the forward run has no place in the graph");
    Activation& activation = frame_.values[static_cast<size_t>(id)];
    activation.shape = to_int64s(value.Get("shape"), "shape");
    activation.batch_stride =
        state.layout.batch_stride(static_cast<int>(id), activation.shape, samples);
    given[static_cast<size_t>(id)] = true;
    const Napi::Value data = value.Get("data");
    if (data.IsUndefined()) continue;
    if (!data.IsTypedArray())
      throw Napi::TypeError::New(value.Env(), "Expected a typed array for data");
    const auto array = data.As<Napi::TypedArray>();
    activation.type = type_of(array);
    const int64_t count = element_count(activation.shape);
    if (static_cast<int64_t>(array.ElementLength()) != count) {
      throw Error("BAD_ARGUMENT", "The value " + tape.values[static_cast<size_t>(id)].name +
                                      " of shape " + describe(activation.shape) + " came with " +
                                      std::to_string(array.ElementLength()) + " elements");
    }
    activation.data = static_cast<const uint8_t*>(array.ArrayBuffer().Data()) + array.ByteOffset();
    pins_.push_back(Napi::Persistent(data.As<Napi::Object>()));
    if (value.Get("passing").ToBoolean()) passing_.push_back(Napi::Persistent(array.ArrayBuffer()));
  }
  for (int id : state.analysis.shapes) {
    if (!given[id])
      throw Error("BAD_ARGUMENT", "The shape of " + tape.values[id].name + " is missing");
    if (tape.values[id].active && frame_.values[id].data &&
        frame_.values[id].type != DataType::kFloat) {
      throw Error("BAD_INPUT", "The value " + tape.values[id].name + " is not of type float");
    }
  }
  derive(state.analysis.derived);
  const auto check = [&](const std::vector<int>& taps) {
    for (int id : taps) {
      if (!frame_.values[id].data && element_count(frame_.values[id].shape) > 0)
        throw Error("BAD_ARGUMENT", "The numbers of " + tape.values[id].name + " are missing");
    }
  };
  if (passes != Passes::kForward) check(state.analysis.taps);
  if (passes != Passes::kReverse) check(state.analysis.forward_taps);
  on_device_ = std::make_shared<DeviceRun>();
  released_ = false;
}

void FrameObject::derive(const std::vector<Derived>& all) {
  for (const Derived& each : all) {
    const Activation& from = frame_.values[static_cast<size_t>(each.from)];
    Activation& to = frame_.values[static_cast<size_t>(each.id)];
    if (!from.data || from.type != DataType::kFloat) continue;
    if (each.how == Derived::How::kShape) {
      to.data = from.data;
      to.type = from.type;
      continue;
    }
    const int64_t size = from.size();
    derived_.push_back(std::make_shared<Memory>(static_cast<size_t>(size) * sizeof(Real) + 1));
    Real* values = derived_.back()->numbers<Real>();
    const Real* x = from.reals();
    parallel_for(size, 1 << 14, [&](int64_t first, int64_t last) {
      for (int64_t e = first; e < last; ++e) values[e] = logistic(x[e]);
    });
    to.data = values;
    to.type = DataType::kFloat;
  }
}

const Frame& FrameObject::frame() const {
  if (released_) throw Error("FAILED", "A forward run was used after its release");
  return frame_;
}

void FrameObject::release(const Napi::CallbackInfo&) {
  released_ = true;
  pins_.clear();
  // Their memory goes back now, not when the collector comes to them.
  for (auto& buffer : passing_) buffer.Value().Detach();
  passing_.clear();
  derived_.clear();
  on_device_.reset();
  frame_ = Frame();
}

}  // namespace AT_PRECISION
}  // namespace at
