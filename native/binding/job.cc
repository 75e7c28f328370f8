#include "binding/job.h"

#include "binding/blocks.h"
#include "binding/convert.h"
#include "binding/frame.h"
#include "contraction/fault_job.h"
#include "contraction/features_job.h"

namespace at {
inline namespace AT_PRECISION {

Napi::Function JobObject::define(Napi::Env env) {
  return DefineClass(
      env, "Job",
      {InstanceMethod("next", &JobObject::next), InstanceMethod("feed", &JobObject::feed),
       InstanceMethod("dispose", &JobObject::dispose),
       InstanceAccessor("peakBytes", &JobObject::peak_bytes, nullptr),
       InstanceAccessor("methods", &JobObject::methods, nullptr),
       InstanceMethod("features", &JobObject::features),
       InstanceMethod("fault", &JobObject::fault)});
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
    result.Set("node", Napi::Number::New(env, want->node));
    result.Set("passes", Napi::String::New(env, name_of(want->passes)));
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

Napi::Value JobObject::fault(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return guarded(env, [&]() -> Napi::Value {
    auto* fault_job = dynamic_cast<FaultJob*>(&job());
    if (!fault_job) throw Error("FAILED", "This job looks for no faults");
    const auto& fault = fault_job->fault();
    if (!fault) return env.Null();
    Napi::Object result = Napi::Object::New(env);
    result.Set("sample", Napi::Number::New(env, static_cast<double>(fault->sample)));
    result.Set("output", Napi::Number::New(env, static_cast<double>(fault->output)));
    result.Set("parameter", Napi::Number::New(env, fault->parameter));
    result.Set("value", Napi::Number::New(env, fault->value));
    result.Set("node", fault->node);
    result.Set("op", fault->op);
    return result;
  });
}

// Publishes the feature arrays: whoever reads them releases their blocks.
Napi::Value JobObject::features(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return guarded(env, [&]() -> Napi::Value {
    auto* features_job = dynamic_cast<FeaturesJob*>(&job());
    if (!features_job) throw Error("FAILED", "This job computes no features");
    const auto& all = features_job->features();
    Napi::Array result = Napi::Array::New(env, all.size());
    const auto number = [&](int64_t value) {
      return Napi::Number::New(env, static_cast<double>(value));
    };
    for (uint32_t p = 0; p < all.size(); ++p) {
      const ParameterFeatures& one = all[p];
      Napi::Object entry = Napi::Object::New(env);
      if (one.delta) {
        entry.Set("delta", number(publish_block(one.delta)));
        if (one.h) entry.Set("h", number(publish_block(one.h)));
        if (one.columns) entry.Set("columns", number(publish_block(one.columns)));
        entry.Set("positions", number(one.positions));
      } else {
        entry.Set("x", number(publish_block(one.x)));
      }
      if (one.delta || one.rows > 0) {
        entry.Set("rows", number(one.rows));
        entry.Set("cols", number(one.cols));
        entry.Set("transposed", Napi::Boolean::New(env, one.transposed));
        entry.Set("bias", number(one.bias));
      }
      result.Set(p, entry);
    }
    return result;
  });
}

}  // namespace AT_PRECISION
}  // namespace at
