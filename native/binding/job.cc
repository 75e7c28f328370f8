#include "binding/job.h"

#include "binding/convert.h"
#include "binding/frame.h"

namespace at {

Napi::Function JobObject::define(Napi::Env env) {
  return DefineClass(
      env, "Job",
      {InstanceMethod("next", &JobObject::next), InstanceMethod("feed", &JobObject::feed),
       InstanceMethod("dispose", &JobObject::dispose),
       InstanceAccessor("peakBytes", &JobObject::peak_bytes, nullptr),
       InstanceAccessor("methods", &JobObject::methods, nullptr)});
}

JobObject::JobObject(const Napi::CallbackInfo& info) : Napi::ObjectWrap<JobObject>(info) {}

void JobObject::hold(std::unique_ptr<Job> job, Holdings holdings) {
  job_ = std::move(job);
  holdings_ = std::move(holdings);
}

Job& JobObject::job() {
  if (!job_) throw Error("DISPOSED", "The job was disposed");
  return *job_;
}

Napi::Value JobObject::next(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return guarded(env, [&]() -> Napi::Value {
    const auto want = job().next();
    if (!want) return env.Null();
    Napi::Object result = Napi::Object::New(env);
    result.Set("side", Napi::Number::New(env, want->side));
    result.Set("first", Napi::Number::New(env, static_cast<double>(want->first)));
    result.Set("count", Napi::Number::New(env, static_cast<double>(want->count)));
    return result;
  });
}

void JobObject::feed(const Napi::CallbackInfo& info) {
  guarded(info.Env(), [&] {
    const FrameObject* frame = FrameObject::Unwrap(info[0].ToObject());
    job().feed(frame->frame());
  });
}

void JobObject::dispose(const Napi::CallbackInfo&) {
  job_.reset();
  holdings_ = Holdings();
}

Napi::Value JobObject::peak_bytes(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return guarded(env, [&]() -> Napi::Value {
    return Napi::Number::New(env, static_cast<double>(job().peak_bytes()));
  });
}

Napi::Value JobObject::methods(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return guarded(env, [&]() -> Napi::Value {
    const std::vector<std::string> names = job().methods();
    Napi::Array result = Napi::Array::New(env, names.size());
    for (uint32_t i = 0; i < names.size(); ++i) result.Set(i, names[i]);
    return result;
  });
}

}  // namespace at
