#pragma once

#include <napi.h>

#include <memory>
#include <vector>

#include "binding/engine.h"
#include "reverse/device_values.h"

namespace at {
inline namespace AT_PRECISION {

DataType type_of(const Napi::TypedArray& array);

// One forward run; pins the typed arrays it reads until release().
class FrameObject : public Napi::ObjectWrap<FrameObject> {
 public:
  static Napi::Function define(Napi::Env env);
  explicit FrameObject(const Napi::CallbackInfo& info);
  // `passes`: by which passes it may be read.
  void fill(const EngineState& state, int64_t samples, const Napi::Array& values, Passes passes);
  const Frame& frame() const;
  // What a device has of it.
  const std::shared_ptr<DeviceRun>& on_device() const { return on_device_; }

 private:
  void derive(const std::vector<Derived>& all);
  void release(const Napi::CallbackInfo& info);

  Frame frame_;
  std::shared_ptr<DeviceRun> on_device_;
  bool released_ = true;
  std::vector<Napi::ObjectReference> pins_;
  std::vector<Napi::Reference<Napi::ArrayBuffer>> passing_;  // that nobody reads after release()
  std::vector<std::shared_ptr<Memory>> derived_;
};

}  // namespace AT_PRECISION
}  // namespace at
