#pragma once

#include <napi.h>

#include <memory>
#include <vector>

#include "binding/engine.h"
#include "core/buffer.h"
#include "jobs/job.h"

namespace at {
inline namespace AT_PRECISION {

// What was asked of a device; null without one.
Napi::Value from_counts(Napi::Env env, const device::Counts* counts,
                        const device::MeasuredError& tf32);

// A job and everything that it reads or writes, kept alive until dispose().
class JobObject : public Napi::ObjectWrap<JobObject> {
 public:
  static Napi::Function define(Napi::Env env);
  explicit JobObject(const Napi::CallbackInfo& info);

  struct Holdings {
    std::shared_ptr<EngineState> engine;
    std::vector<std::shared_ptr<Memory>> results;
    std::vector<Napi::ObjectReference> pins;
  };
  void hold(std::unique_ptr<Job> job, Holdings holdings);

 private:
  Napi::Value next(const Napi::CallbackInfo& info);
  void feed(const Napi::CallbackInfo& info);
  void dispose(const Napi::CallbackInfo& info);
  Napi::Value peak_bytes(const Napi::CallbackInfo& info);
  Napi::Value methods(const Napi::CallbackInfo& info);
  Napi::Value device(const Napi::CallbackInfo& info);
  Napi::Value take_tile(const Napi::CallbackInfo& info);
  Napi::Value report(const Napi::CallbackInfo& info);
  Job& job();

  Holdings holdings_;
  std::unique_ptr<Job> job_;
};

}  // namespace AT_PRECISION
}  // namespace at
