#include "binding/job.h"

#include "binding/convert.h"
#include "binding/frame.h"
#include "binding/shared_memory.h"
#include "device/stream.h"

namespace at {
inline namespace AT_PRECISION {

namespace {

Napi::Value told(Napi::Env env, int64_t value) {
  return Napi::Number::New(env, static_cast<double>(value));
}
Napi::Value told(Napi::Env env, double value) { return Napi::Number::New(env, value); }
Napi::Value told(Napi::Env env, bool value) { return Napi::Boolean::New(env, value); }
Napi::Value told(Napi::Env env, const std::string& value) { return Napi::String::New(env, value); }
Napi::Value told(Napi::Env env, const std::shared_ptr<Memory>& block) {
  return told(env, publish_shared(block));
}

Napi::Value told(Napi::Env env, const Blocks& blocks) {
  Napi::Array ids = Napi::Array::New(env, blocks.size());
  for (uint32_t i = 0; i < blocks.size(); ++i) ids.Set(i, told(env, blocks[i]));
  return ids;
}

Napi::Object told(Napi::Env env, const Record& record) {
  Napi::Object entry = Napi::Object::New(env);
  for (const auto& [name, value] : record)
    std::visit([&, key = name](const auto& held) { entry.Set(key, told(env, held)); }, value);
  return entry;
}

}  // namespace

Napi::Value from_counts(Napi::Env env, const device::Counts* counts,
                        const device::MeasuredError& tf32) {
  if (!counts) return env.Null();
  Napi::Object all = told(env, Record{{"launches", counts->launches},
                                      {"products", counts->products},
                                      {"flops", counts->flops},
                                      {"bytes", counts->bytes},
                                      {"bytesUp", counts->bytes_up},
                                      {"bytesDown", counts->bytes_down},
                                      {"mostBytes", counts->most_bytes},
                                      {"nodes", counts->nodes},
                                      {"tf32Error", tf32.largest},
                                      {"tf32Sampled", tf32.sampled}});
  Napi::Array on_host = Napi::Array::New(env);
  for (const std::string& name : counts->on_host) on_host.Set(on_host.Length(), name);
  all.Set("onHost", on_host);
  return all;
}

Napi::Function JobObject::define(Napi::Env env) {
  return DefineClass(
      env, "Job",
      {InstanceMethod("next", &JobObject::next), InstanceMethod("feed", &JobObject::feed),
       InstanceMethod("dispose", &JobObject::dispose),
       InstanceAccessor("peakBytes", &JobObject::peak_bytes, nullptr),
       InstanceAccessor("methods", &JobObject::methods, nullptr),
       InstanceAccessor("device", &JobObject::device, nullptr),
       InstanceMethod("takeTile", &JobObject::take_tile),
       InstanceMethod("report", &JobObject::report)});
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
    job().feed(frame->frame(), frame->on_device());
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

Napi::Value JobObject::device(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const device::Counts* counts = job().device_counts();
    return from_counts(info.Env(), counts, counts ? job().tf32_error() : device::MeasuredError{});
  });
}

// What the job tells of itself; whoever reads it releases its blocks.
Napi::Value JobObject::report(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return guarded(env, [&]() -> Napi::Value {
    const std::vector<Record> records = job().report();
    Napi::Array result = Napi::Array::New(env, records.size());
    for (uint32_t i = 0; i < records.size(); ++i) result.Set(i, told(env, records[i]));
    return result;
  });
}

// A tile of the result that is whole, or null; whoever takes it releases its blocks.
Napi::Value JobObject::take_tile(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return guarded(env, [&]() -> Napi::Value {
    const auto tile = job().take_tile();
    return tile ? Napi::Value(told(env, *tile)) : env.Null();
  });
}

}  // namespace AT_PRECISION
}  // namespace at
