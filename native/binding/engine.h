#pragma once

#include <napi.h>

#include <memory>

#include "jobs/job.h"
#include "reverse/layout.h"

namespace at {

// The constructors of one environment, and of one precision.
struct Classes {
  Napi::FunctionReference engine, frame, job, training;
};
struct AddonData {
  Classes single_precision, double_precision;
};

inline namespace AT_PRECISION {

// What an engine, its frames and its jobs share.
struct EngineState {
  Analysis analysis;
  BatchLayout layout;
  bool laid_out = false;
  Extent extent;
};

class EngineObject : public Napi::ObjectWrap<EngineObject> {
 public:
  static Napi::Function define(Napi::Env env);
  explicit EngineObject(const Napi::CallbackInfo& info);

 private:
  Napi::Value analysis(const Napi::CallbackInfo& info);
  Napi::Value layout(const Napi::CallbackInfo& info);
  Napi::Value frame(const Napi::CallbackInfo& info);
  Napi::Value extent(const Napi::CallbackInfo& info);
  Napi::Value start(const Napi::CallbackInfo& info);
  Napi::Value first_not_finite(const Napi::CallbackInfo& info);
  Napi::Value training(const Napi::CallbackInfo& info);

  std::shared_ptr<EngineState> state_;
};

void export_engine(Napi::Env env, Napi::Object exports);

// The constructors of this environment, for this precision.
Classes& classes_of(Napi::Env env);

}  // namespace AT_PRECISION
}  // namespace at
