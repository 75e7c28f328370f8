#include "binding/engine.h"

#include <algorithm>

#include "binding/blocks.h"
#include "binding/convert.h"
#include "binding/frame.h"
#include "binding/job.h"
#include "contraction/features_job.h"
#include "contraction/jacobian_job.h"
#include "contraction/ntk_job.h"
#include "contraction/product_job.h"

namespace at {

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

JobSettings to_settings(const Napi::Object& options, const EngineState& state,
                        JobObject::Holdings& holdings) {
  if (!state.laid_out) throw Error("FAILED", "layout() must come before any job");
  JobSettings settings;
  settings.extent = state.extent;
  settings.samples = to_int64(required(options, "samples"), "samples");
  settings.outputs = to_int64s(required(options, "outputs"), "outputs");
  settings.threads = static_cast<int>(to_int64(required(options, "threads"), "threads"));
  settings.memory = static_cast<size_t>(to_int64(required(options, "memory"), "memory"));
  settings.block = property_or(options, "block", 0);
  const Napi::Value control = options.Get("control");
  if (!control.IsUndefined()) {
    auto cells = control.As<Napi::TypedArray>();
    if (!control.IsTypedArray() || cells.TypedArrayType() != napi_bigint64_array ||
        cells.ElementLength() < 3)
      throw Napi::TypeError::New(options.Env(), "Expected a BigInt64Array for control");
    settings.control =
        Control(reinterpret_cast<std::atomic<int64_t>*>(control.As<Napi::BigInt64Array>().Data()));
    holdings.pins.push_back(Napi::Persistent(control.As<Napi::Object>()));
  }
  if (settings.samples < 1 || settings.outputs.empty())
    throw Error("BAD_ARGUMENT", "A job needs at least one sample and one output");
  return settings;
}

float* result_block(int64_t id, int64_t floats, JobObject::Holdings& holdings) {
  auto block = find_block(id);
  if (static_cast<int64_t>(block->bytes()) < checked_mul(floats, sizeof(float)))
    throw Error("FAILED", "A result block is too small");
  holdings.results.push_back(block);
  return block->floats();
}

// Elements of every parameter, from the shapes known before anything runs.
std::vector<int64_t> parameter_sizes(const Tape& tape) {
  std::vector<int64_t> sizes;
  for (int id : tape.parameters) sizes.push_back(element_count(tape.values[id].static_shape));
  return sizes;
}

std::vector<float*> parameter_results(const Napi::Object& options, const Tape& tape, int64_t times,
                                      JobObject::Holdings& holdings) {
  const std::vector<int64_t> ids = to_int64s(required(options, "results"), "results");
  const std::vector<int64_t> sizes = parameter_sizes(tape);
  if (ids.size() != sizes.size())
    throw Error("BAD_ARGUMENT", "One result per parameter was expected");
  std::vector<float*> results;
  for (size_t p = 0; p < ids.size(); ++p)
    results.push_back(result_block(ids[p], checked_mul(times, sizes[p]), holdings));
  return results;
}

Napi::Value wrap(Napi::Env env, std::unique_ptr<Job> job, JobObject::Holdings holdings) {
  Napi::Object object = env.GetInstanceData<Classes>()->job.New({});
  JobObject::Unwrap(object)->hold(std::move(job), std::move(holdings));
  return object;
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

}  // namespace

Napi::Function EngineObject::define(Napi::Env env) {
  return DefineClass(
      env, "Engine",
      {InstanceAccessor("analysis", &EngineObject::analysis, nullptr),
       InstanceMethod("layout", &EngineObject::layout),
       InstanceMethod("frame", &EngineObject::frame), InstanceMethod("ntk", &EngineObject::ntk),
       InstanceMethod("jacobian", &EngineObject::jacobian),
       InstanceMethod("vjp", &EngineObject::vjp), InstanceMethod("product", &EngineObject::product),
       InstanceMethod("features", &EngineObject::features)});
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

Napi::Value EngineObject::frame(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return guarded(env, [&]() -> Napi::Value {
    if (!state_->laid_out) throw Error("FAILED", "layout() must come before frame()");
    Napi::Object object = env.GetInstanceData<Classes>()->frame.New({});
    FrameObject::Unwrap(object)->fill(*state_, to_int64(info[0], "samples"),
                                      info[1].As<Napi::Array>());
    return object;
  });
}

Napi::Value EngineObject::ntk(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const Napi::Object options = info[0].ToObject();
    const Tape& tape = state_->analysis.tape;
    JobObject::Holdings holdings;
    holdings.engine = state_;
    JobSettings settings = to_settings(options, *state_, holdings);
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
    std::vector<float*> results;
    for (int64_t id : to_int64s(required(options, "results"), "results"))
      results.push_back(result_block(id, floats, holdings));
    for (int group : task.groups) {
      if (group < 0 || group >= static_cast<int>(results.size()))
        throw Error("BAD_ARGUMENT", "A group has no result");
    }
    auto job =
        std::make_unique<NtkJob>(tape, std::move(settings), std::move(task), std::move(results));
    return wrap(info.Env(), std::move(job), std::move(holdings));
  });
}

Napi::Value EngineObject::jacobian(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const Napi::Object options = info[0].ToObject();
    const Tape& tape = state_->analysis.tape;
    JobObject::Holdings holdings;
    holdings.engine = state_;
    JobSettings settings = to_settings(options, *state_, holdings);
    const int64_t rows =
        checked_mul(settings.samples, static_cast<int64_t>(settings.outputs.size()));
    auto results = parameter_results(options, tape, rows, holdings);
    auto job = std::make_unique<JacobianJob>(tape, std::move(settings), std::move(results));
    return wrap(info.Env(), std::move(job), std::move(holdings));
  });
}

Napi::Value EngineObject::vjp(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const Napi::Object options = info[0].ToObject();
    const Tape& tape = state_->analysis.tape;
    JobObject::Holdings holdings;
    holdings.engine = state_;
    JobSettings settings = to_settings(options, *state_, holdings);
    const int64_t columns = property_or(options, "columns", 1);
    const int64_t count = checked_mul(
        checked_mul(settings.samples, static_cast<int64_t>(settings.outputs.size())), columns);
    const Napi::Value cotangents = required(options, "cotangents");
    const float* vectors = float_data(cotangents, count, "cotangents");
    holdings.pins.push_back(Napi::Persistent(cotangents.As<Napi::Object>()));
    auto results = parameter_results(options, tape, columns, holdings);
    auto job = std::make_unique<GradientJob>(tape, std::move(settings), columns, vectors,
                                             std::move(results));
    return wrap(info.Env(), std::move(job), std::move(holdings));
  });
}

Napi::Value EngineObject::product(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const Napi::Object options = info[0].ToObject();
    const Tape& tape = state_->analysis.tape;
    JobObject::Holdings holdings;
    holdings.engine = state_;
    JobSettings settings = to_settings(options, *state_, holdings);
    const int64_t columns = to_int64(required(options, "columns"), "columns");
    if (columns < 1) throw Error("BAD_ARGUMENT", "A product needs at least one vector");
    const int64_t count = checked_mul(
        checked_mul(settings.samples, static_cast<int64_t>(settings.outputs.size())), columns);
    const Napi::Value vectors = required(options, "vectors");
    const float* data = float_data(vectors, count, "vectors");
    holdings.pins.push_back(Napi::Persistent(vectors.As<Napi::Object>()));
    float* result = result_block(to_int64(required(options, "result"), "result"), count, holdings);
    auto job = std::make_unique<ProductJob>(tape, std::move(settings), columns, data,
                                            parameter_sizes(tape), result);
    return wrap(info.Env(), std::move(job), std::move(holdings));
  });
}

Napi::Value EngineObject::features(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    JobObject::Holdings holdings;
    holdings.engine = state_;
    JobSettings settings = to_settings(info[0].ToObject(), *state_, holdings);
    auto job = std::make_unique<FeaturesJob>(state_->analysis.tape, std::move(settings));
    return wrap(info.Env(), std::move(job), std::move(holdings));
  });
}

void export_engine(Napi::Env env, Napi::Object exports) {
  auto* classes = new Classes();
  classes->engine = Napi::Persistent(EngineObject::define(env));
  classes->frame = Napi::Persistent(FrameObject::define(env));
  classes->job = Napi::Persistent(JobObject::define(env));
  env.SetInstanceData(classes);
  exports.Set(
      "createEngine", Napi::Function::New(env, [](const Napi::CallbackInfo& info) -> Napi::Value {
        return info.Env().GetInstanceData<Classes>()->engine.New({info[0], info[1], info[2]});
      }));
}

}  // namespace at
