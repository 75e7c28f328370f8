#include "binding/engine.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include "binding/convert.h"
#include "binding/frame.h"
#include "binding/job.h"
#include "binding/settings.h"
#include "contraction/fault_job.h"
#include "contraction/features_job.h"
#include "contraction/jacobian_job.h"
#include "contraction/kernel_job.h"
#include "reverse/product.h"
#ifndef AT_DOUBLE
#include "binding/training.h"
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

KernelType to_kernel(const std::string& name) {
  if (name == "full") return KernelType::kFull;
  if (name == "trace") return KernelType::kTrace;
  if (name == "diagonal") return KernelType::kDiagonal;
  throw Error("BAD_ARGUMENT", "Expected full, trace or diagonal for kernel but received " + name);
}

Method to_method(const std::string& name) {
  for (Method method : {Method::kAuto, Method::kJacobian, Method::kStructured, Method::kProducts})
    if (name == name_of(method)) return method;
  throw Error("BAD_ARGUMENT",
              "Expected auto, jacobian, structured or products for method but received " + name);
}

std::vector<double> to_numbers(const Napi::Value& value) {
  const Napi::Array array = value.As<Napi::Array>();
  std::vector<double> numbers;
  for (uint32_t i = 0; i < array.Length(); ++i)
    numbers.push_back(array.Get(i).ToNumber().DoubleValue());
  return numbers;
}

std::optional<Path> to_path(const Napi::Object& options, const Tape& tape,
                            const JobSettings& settings, JobObject::Holdings& holdings) {
  const Napi::Value value = options.Get("path");
  if (value.IsUndefined()) return std::nullopt;
  const Napi::Object object = value.ToObject();
  Path path;
  path.weights = to_numbers(required(object, "weights"));
  path.change_weights = to_numbers(required(object, "changeWeights"));
  path.segments = to_ints(required(object, "segments"), "segments");
  const Napi::Array directions = required(object, "directions").As<Napi::Array>();
  for (uint32_t s = 0; s < directions.Length(); ++s)
    path.directions.push_back(
        to_directions(directions.Get(s).As<Napi::Array>(), tape, 1, holdings));
  const size_t nodes = path.weights.size();
  bool sound = nodes > 0 && path.change_weights.size() == nodes && path.segments.size() == nodes;
  for (int segment : path.segments)
    sound = sound && segment >= 0 && segment < static_cast<int>(path.directions.size());
  if (!sound) throw Error("BAD_ARGUMENT", "A path's nodes need a weight and a segment each");
  path.change = result_block(
      to_int64(required(object, "change"), "change"),
      checked_mul(settings.samples, static_cast<int64_t>(settings.outputs.size())), holdings);
  return path;
}

}  // namespace

Napi::Function EngineObject::define(Napi::Env env) {
  return DefineClass(
      env, "Engine",
      {InstanceAccessor("analysis", &EngineObject::analysis, nullptr),
       InstanceMethod("layout", &EngineObject::layout),
       InstanceMethod("frame", &EngineObject::frame), InstanceMethod("ntk", &EngineObject::ntk),
       InstanceMethod("jacobian", &EngineObject::jacobian),
       InstanceMethod("vjp", &EngineObject::vjp), InstanceMethod("jvp", &EngineObject::jvp),
       InstanceMethod("product", &EngineObject::product),
       InstanceMethod("normal", &EngineObject::normal),
#ifndef AT_DOUBLE
       InstanceMethod("training", &EngineObject::training),
#endif
       InstanceMethod("features", &EngineObject::features),
       InstanceMethod("fault", &EngineObject::fault),
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

Napi::Value EngineObject::ntk(const Napi::CallbackInfo& info) {
  return start_job(info, state_, [](JobRequest& request) -> std::unique_ptr<Job> {
    auto& [options, tape, holdings, settings] = request;
    KernelTask task;
    task.type = to_kernel(to_text(required(options, "kernel"), "kernel"));
    task.forced = to_method(to_text(required(options, "method"), "method"));
    task.symmetric = options.Get("samples2").IsUndefined();
    task.samples1 = settings.samples;
    task.samples2 = property_or(options, "samples2", settings.samples);
    task.outputs = static_cast<int64_t>(settings.outputs.size());
    task.groups = to_ints(required(options, "groups"), "groups");
    if (task.samples2 < 1) throw Error("BAD_ARGUMENT", "X2 needs at least one sample");
    if (task.groups.size() != tape.parameters.size())
      throw Error("BAD_ARGUMENT", "One group per parameter was expected");
    int64_t floats = checked_mul(task.samples1, task.samples2);
    if (task.type != KernelType::kTrace) floats = checked_mul(floats, task.outputs);
    if (task.type == KernelType::kFull) floats = checked_mul(floats, task.outputs);
    std::vector<Real*> results;
    for (int64_t id : to_int64s(required(options, "results"), "results"))
      results.push_back(result_block(id, floats, holdings));
    for (int group : task.groups) {
      if (group < 0 || group >= static_cast<int>(results.size()))
        throw Error("BAD_ARGUMENT", "A group has no result");
    }
    auto path = to_path(options, tape, settings, holdings);
    return std::make_unique<KernelJob>(tape, std::move(settings), std::move(task),
                                       std::move(results), std::move(path));
  });
}

Napi::Value EngineObject::jacobian(const Napi::CallbackInfo& info) {
  return start_job(info, state_, [](JobRequest& request) -> std::unique_ptr<Job> {
    auto& [options, tape, holdings, settings] = request;
    const int64_t rows =
        checked_mul(settings.samples, static_cast<int64_t>(settings.outputs.size()));
    auto results = parameter_results(options, tape, rows, holdings);
    if (auto path = to_path(options, tape, settings, holdings)) {
      return std::make_unique<AverageJacobianJob>(tape, std::move(settings), std::move(results),
                                                  std::move(*path));
    }
    return std::make_unique<JacobianJob>(tape, std::move(settings), std::move(results));
  });
}

Napi::Value EngineObject::features(const Napi::CallbackInfo& info) {
  return start_job(info, state_, [](JobRequest& request) {
    return std::make_unique<FeaturesJob>(request.tape, std::move(request.settings));
  });
}

Napi::Value EngineObject::fault(const Napi::CallbackInfo& info) {
  return start_job(info, state_, [](JobRequest& request) {
    return std::make_unique<FaultJob>(request.tape, std::move(request.settings));
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
    JobObject::Holdings holdings;
    const int64_t count = to_int64(info[1], "count");
    const Real* values = result_block(to_int64(info[0], "id"), count, holdings);
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
