#include "binding/engine.h"

#include <algorithm>
#include <cmath>

#include "binding/convert.h"
#include "binding/frame.h"
#include "binding/job.h"
#include "binding/settings.h"
#include "binding/shared_memory.h"
#include "jobs/jobs.h"
#include "reverse/product.h"
#ifndef AT_DOUBLE
#include "binding/train.h"
#endif

namespace at {
inline namespace AT_PRECISION {

namespace {

ShapeRun to_run(const Napi::Object& object, size_t values) {
  ShapeRun run;
  run.samples = to_int64(object.Get("samples"), "samples");
  if (run.samples < 1) throw Error("BAD_ARGUMENT", "A run needs at least one sample");
  run.known.assign(values, false);
  run.shapes.resize(values);
  const Napi::Array shapes = required(object, "shapes").As<Napi::Array>();
  for (uint32_t i = 0; i < shapes.Length(); ++i) {
    const Napi::Object entry = shapes.Get(i).ToObject();
    const int64_t id = to_int64(entry.Get("id"), "id");
    if (id < 0 || id >= static_cast<int64_t>(values))
      throw Error("BAD_ARGUMENT", "A shape has no place in the graph");
    run.known[static_cast<size_t>(id)] = true;
    run.shapes[static_cast<size_t>(id)] = to_int64s(entry.Get("shape"), "shape");
  }
  return run;
}

Extent extent_of(const Tape& tape, const ShapeRun& run) {
  Extent extent;
  const auto size = [&](int id) { return element_count(run.shapes[id]) / run.samples + 1; };
  for (const Node& node : tape.nodes) {
    int64_t around = 0;
    for (int id : node.outputs)
      if (id >= 0 && run.known[id]) {
        around += size(id);
        extent.all += size(id);
      }
    for (int id : node.inputs)
      if (id >= 0 && run.known[id] && tape.values[id].active && tape.values[id].parameter < 0)
        around += size(id);
    extent.widest = std::max(extent.widest, around);
  }
  return extent;
}

}  // namespace

Napi::Function EngineObject::define(Napi::Env env) {
  return DefineClass(
      env, "Engine",
      {InstanceAccessor("analysis", &EngineObject::analysis, nullptr),
       InstanceMethod("layout", &EngineObject::layout),
       InstanceMethod("frame", &EngineObject::frame), InstanceMethod("start", &EngineObject::start),
       InstanceAccessor("extent", &EngineObject::extent, nullptr),
#ifndef AT_DOUBLE
       InstanceMethod("training", &EngineObject::training),
#endif
       InstanceMethod("firstNotFinite", &EngineObject::first_not_finite)});
}

EngineObject::EngineObject(const Napi::CallbackInfo& info)
    : Napi::ObjectWrap<EngineObject>(info), state_(std::make_shared<EngineState>()) {
  guarded(info.Env(), [&] {
    state_->analysis = analyse(to_graph(info[0].ToObject()), to_ints(info[1], "candidates"),
                               static_cast<int>(to_int64(info[2], "output")));
  });
}

Napi::Value EngineObject::analysis(const Napi::CallbackInfo& info) {
  return from_analysis(info.Env(), state_->analysis);
}

Napi::Value EngineObject::layout(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return guarded(env, [&]() -> Napi::Value {
    const size_t values = state_->analysis.tape.values.size();
    const ShapeRun first = to_run(info[0].ToObject(), values);
    ShapeRun second;
    const bool two = info.Length() > 1 && !info[1].IsUndefined();
    if (two) second = to_run(info[1].ToObject(), values);
    const auto mixing = state_->layout.infer(state_->analysis, first, two ? &second : nullptr);
    if (mixing) {
      Napi::Object result = Napi::Object::New(env);
      result.Set("node", mixing->node);
      result.Set("why", mixing->why);
      return result;
    }
    state_->extent = extent_of(state_->analysis.tape, first);
    state_->laid_out = true;
    return env.Null();
  });
}

namespace {
Passes to_passes(const Napi::Value& value) {
  if (value.IsUndefined()) return Passes::kReverse;
  const std::string name = to_text(value, "passes");
  for (Passes passes : {Passes::kReverse, Passes::kForward, Passes::kBoth})
    if (name == name_of(passes)) return passes;
  throw Error("BAD_ARGUMENT", "Expected reverse, forward or both for passes but received " + name);
}
}  // namespace

Napi::Value EngineObject::frame(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return guarded(env, [&]() -> Napi::Value {
    if (!state_->laid_out) throw Error("FAILED", "layout() must come before frame()");
    Napi::Object object = classes_of(env).frame.New({});
    FrameObject::Unwrap(object)->fill(*state_, to_int64(info[0], "samples"),
                                      info[1].As<Napi::Array>(), to_passes(info[2]));
    return object;
  });
}

// Numbers of one sample, once laid out.
Napi::Value EngineObject::extent(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), static_cast<double>(state_->extent.all));
}

// start(kind, fields, options, control)
Napi::Value EngineObject::start(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return guarded(env, [&]() -> Napi::Value {
    if (!state_->laid_out) throw Error("FAILED", "layout() must come before any job");
    JobObject::Holdings holdings;
    holdings.engine = state_;
    const Options options = to_options(info[1].As<Napi::Object>(), info[2].ToObject(), holdings);
    auto job = make_job(to_text(info[0], "kind"), {state_->analysis.tape, state_->extent, options,
                                                   to_control(info[3], holdings.pins)});
    Napi::Object object = classes_of(env).job.New({});
    JobObject::Unwrap(object)->hold(std::move(job), std::move(holdings));
    return object;
  });
}

Classes& classes_of(Napi::Env env) {
  AddonData& data = *env.GetInstanceData<AddonData>();
#ifdef AT_DOUBLE
  return data.double_precision;
#else
  return data.single_precision;
#endif
}

// Index of the first of a block's numbers that is not finite, or -1.
Napi::Value EngineObject::first_not_finite(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return guarded(env, [&]() -> Napi::Value {
    const int64_t count = to_int64(info[1], "count");
    const auto block = find_shared(to_int64(info[0], "id"));
    if (static_cast<int64_t>(block->bytes()) < checked_mul(count, sizeof(Real)))
      throw Error("FAILED", "A result block is too small");
    const Real* values = block->numbers<Real>();
    constexpr int64_t kPiece = 1 << 24;
    for (int64_t from = 0; from < count; from += kPiece) {
      const int64_t size = std::min(kPiece, count - from);
      if (all_finite(values + from, size)) continue;
      const Real* found = std::find_if_not(values + from, values + from + size,
                                           [](Real v) { return std::isfinite(v); });
      return Napi::Number::New(env, static_cast<double>(found - values));
    }
    return Napi::Number::New(env, -1);
  });
}

void export_engine(Napi::Env env, Napi::Object exports) {
  Classes& classes = classes_of(env);
  classes.engine = Napi::Persistent(EngineObject::define(env));
  classes.frame = Napi::Persistent(FrameObject::define(env));
  classes.job = Napi::Persistent(JobObject::define(env));
#ifdef AT_DOUBLE
  const char* name = "createDoubleEngine";
#else
  classes.training = Napi::Persistent(TrainingObject::define(env));
  const char* name = "createEngine";
#endif
  exports.Set(name, Napi::Function::New(env, [](const Napi::CallbackInfo& info) -> Napi::Value {
                return classes_of(info.Env()).engine.New({info[0], info[1], info[2]});
              }));
#ifndef AT_DOUBLE
  exports.Set(
      "constantRoles", Napi::Function::New(env, [](const Napi::CallbackInfo& info) -> Napi::Value {
        const Napi::Env here = info.Env();
        return guarded(here, [&]() -> Napi::Value {
          const auto roles = constant_roles(to_graph(info[0].ToObject()), to_ints(info[1], "ids"));
          Napi::Array result = Napi::Array::New(here, roles.size());
          for (uint32_t i = 0; i < roles.size(); ++i) result.Set(i, roles[i]);
          return result;
        });
      }));
#endif
}

}  // namespace AT_PRECISION
}  // namespace at
