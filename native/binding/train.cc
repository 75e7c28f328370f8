#include "binding/train.h"

#include <algorithm>

#include "binding/convert.h"
#include "binding/frame.h"
#include "binding/job.h"
#include "binding/shared_memory.h"
#include "device/open.h"
#include "jobs/jobs.h"

namespace at {

namespace {

double number(const Napi::Object& object, const char* name) {
  return required(object, name).ToNumber().DoubleValue();
}

Optimizer to_optimizer(const Napi::Object& object) {
  Optimizer optimizer;
  const std::string kind = to_text(required(object, "kind"), "kind");
  if (kind == "adam") {
    optimizer.kind = Optimizer::Kind::kAdam;
  } else if (kind == "adamw") {
    optimizer.kind = Optimizer::Kind::kAdamW;
  } else if (kind != "sgd") {
    throw Error("BAD_ARGUMENT", "Expected sgd, adam or adamw for kind but received " + kind);
  }
  optimizer.momentum = number(object, "momentum");
  optimizer.decay = number(object, "decay");
  optimizer.beta1 = number(object, "beta1");
  optimizer.beta2 = number(object, "beta2");
  optimizer.epsilon = number(object, "epsilon");
  return optimizer;
}

TrainedModel to_model(const std::string& name) {
  if (name == "full") return TrainedModel::kFull;
  if (name == "fixed") return TrainedModel::kFixed;
  if (name == "adaptive") return TrainedModel::kAdaptive;
  throw Error("BAD_ARGUMENT", "Expected full, fixed or adaptive for model but received " + name);
}

std::vector<FactorLayout> to_layouts(const Napi::Array& array) {
  std::vector<FactorLayout> layouts;
  for (uint32_t p = 0; p < array.Length(); ++p) {
    const Napi::Object entry = array.Get(p).ToObject();
    FactorLayout layout;
    layout.modes = to_int64s(required(entry, "modes"), "modes");
    const Napi::Value follows = entry.Get("follows");
    if (!follows.IsUndefined()) {
      layout.follows = static_cast<int>(to_int64(follows.ToObject().Get("parameter"), "parameter"));
      layout.mode = static_cast<int>(to_int64(follows.ToObject().Get("mode"), "mode"));
    }
    layouts.push_back(std::move(layout));
  }
  return layouts;
}

const uint32_t* rows_of(const Napi::Value& value, int64_t& count) {
  const bool fits =
      value.IsTypedArray() && value.As<Napi::TypedArray>().TypedArrayType() == napi_uint32_array;
  if (!fits) throw Napi::TypeError::New(value.Env(), "Expected a Uint32Array of rows");
  auto array = value.As<Napi::Uint32Array>();
  count = static_cast<int64_t>(array.ElementLength());
  return array.Data();
}

void check_rows(const uint32_t* rows, int64_t count, const Targets& targets) {
  for (int64_t i = 0; i < count; ++i)
    if (rows[i] >= targets.samples) throw Error("BAD_ARGUMENT", "A row is not among the samples");
}

Napi::Object from_sum(Napi::Env env, const LossSum& sum) {
  Napi::Object result = Napi::Object::New(env);
  result.Set("loss", sum.loss);
  result.Set("wrong", static_cast<double>(sum.wrong));
  return result;
}

Napi::Float32Array copied(Napi::Env env, const float* from, int64_t count) {
  auto array = Napi::Float32Array::New(env, static_cast<size_t>(count));
  std::copy(from, from + count, array.Data());
  return array;
}

}  // namespace

Napi::Function TrainingObject::define(Napi::Env env) {
  return DefineClass(env, "Training",
                     {InstanceMethod("collect", &TrainingObject::collect),
                      InstanceMethod("apply", &TrainingObject::apply),
                      InstanceMethod("steps", &TrainingObject::steps),
                      InstanceMethod("evaluate", &TrainingObject::evaluate),
                      InstanceMethod("evaluateRun", &TrainingObject::evaluate_run),
                      InstanceMethod("store", &TrainingObject::store),
                      InstanceMethod("remember", &TrainingObject::remember),
                      InstanceMethod("renew", &TrainingObject::renew),
                      InstanceMethod("send", &TrainingObject::send),
                      InstanceMethod("present", &TrainingObject::present),
                      InstanceAccessor("device", &TrainingObject::device, nullptr),
                      InstanceAccessor("done", &TrainingObject::done, &TrainingObject::set_done),
                      InstanceMethod("dispose", &TrainingObject::dispose)});
}

TrainingObject::TrainingObject(const Napi::CallbackInfo& info)
    : Napi::ObjectWrap<TrainingObject>(info) {}

Napi::Value EngineObject::training(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return guarded(env, [&]() -> Napi::Value {
    if (!state_->laid_out) throw Error("FAILED", "layout() must come before training()");
    Napi::Object object = classes_of(env).training.New({});
    TrainingObject::Unwrap(object)->begin(state_, info[0].ToObject());
    return object;
  });
}

void TrainingObject::begin(const std::shared_ptr<EngineState>& engine,
                           const Napi::Object& options) {
  engine_ = engine;
  const Tape& tape = engine->analysis.tape;
  TrainerSettings settings;
  settings.model = to_model(to_text(required(options, "model"), "model"));
  settings.optimizer = to_optimizer(required(options, "optimizer").ToObject());
  settings.outputs = outputs_ = to_int64(required(options, "outputs"), "outputs");
  settings.threads = static_cast<int>(to_int64(required(options, "threads"), "threads"));
  settings.memory = static_cast<size_t>(to_int64(required(options, "memory"), "memory"));
  const Napi::Value device = options.Get("device");
  if (!device.IsUndefined())
    settings.stream = device::open_stream(to_text(device, "device"), settings.memory);
  settings.sizes = parameter_sizes(tape);
  counts_ = settings.sizes;
  if (settings.model == TrainedModel::kAdaptive) {
    settings.layouts = to_layouts(required(options, "layouts").As<Napi::Array>());
    if (settings.layouts.size() != settings.sizes.size())
      throw Error("BAD_ARGUMENT", "One layout per parameter was expected");
    counts_ = array_sizes(settings.sizes, settings.layouts);
  }
  const auto blocks = [&](const Napi::Value& ids) {
    std::vector<float*> found;
    for (int64_t id : to_int64s(ids, "arrays")) {
      auto block = find_shared(id);
      if (found.size() >= counts_.size() ||
          block->bytes() < static_cast<size_t>(counts_[found.size()]) * sizeof(float))
        throw Error("BAD_ARGUMENT", "The arrays of a training do not fit its parameters");
      found.push_back(block->floats());
      blocks_.push_back(std::move(block));
    }
    if (found.size() != counts_.size())
      throw Error("BAD_ARGUMENT", "The arrays of a training do not fit its parameters");
    return found;
  };
  settings.arrays = blocks(required(options, "arrays"));
  const Napi::Array moments = required(options, "moments").As<Napi::Array>();
  for (uint32_t m = 0; m < moments.Length(); ++m)
    settings.moments.push_back(blocks(moments.Get(m)));
  if (static_cast<int>(settings.moments.size()) != settings.optimizer.moments())
    throw Error("BAD_ARGUMENT", "The optimizer has another number of moments");
  const Napi::Array targets = required(options, "targets").As<Napi::Array>();
  for (uint32_t s = 0; s < targets.Length(); ++s) {
    const auto array = Napi::Value(targets.Get(s)).As<Napi::TypedArray>();
    Set set;
    const auto count = static_cast<int64_t>(array.ElementLength());
    if (array.TypedArrayType() == napi_int32_array) {
      set.targets.samples = count;
      set.targets.classes = array.As<Napi::Int32Array>().Data();
    } else {
      set.targets.samples = count / outputs_;
      set.targets.numbers = float_data(array, count, "targets");
    }
    pins_.push_back(Napi::Persistent(array.As<Napi::Object>()));
    sets_.push_back(std::move(set));
  }
  trainer_ = std::make_unique<Trainer>(tape, std::move(settings));
}

Trainer& TrainingObject::trainer() {
  if (!trainer_) throw Error("DISPOSED", "The training was disposed");
  return *trainer_;
}

TrainingObject::Set& TrainingObject::set_of(const Napi::Value& index) {
  const auto at = static_cast<size_t>(to_int64(index, "set"));
  if (at >= sets_.size()) throw Error("BAD_ARGUMENT", "The training has no such samples");
  return sets_[at];
}

FrameStore& TrainingObject::store_of(const Napi::Value& index) {
  Set& set = set_of(index);
  if (!set.store) throw Error("FAILED", "No forward runs of these samples are kept");
  return *set.store;
}

// collect(frame, output, rows, batch, first, control)
Napi::Value TrainingObject::collect(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const Frame& frame = FrameObject::Unwrap(info[0].ToObject())->frame();
    const float* output = float_data(info[1], frame.samples * outputs_, "output");
    int64_t count = 0;
    const uint32_t* rows = rows_of(info[2], count);
    if (count != frame.samples) throw Error("BAD_ARGUMENT", "One row per sample was expected");
    const int64_t batch = to_int64(info[3], "batch");
    if (batch < count) throw Error("BAD_ARGUMENT", "A batch has at least the samples of a run");
    const Targets& targets = sets_.at(0).targets;
    check_rows(rows, count, targets);
    return from_sum(info.Env(),
                    trainer().collect(frame, output, targets, rows, batch,
                                      info[4].ToBoolean().Value(), to_control(info[5])));
  });
}

// apply(rate)
Napi::Value TrainingObject::apply(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    trainer().apply(info[0].ToNumber().DoubleValue());
    return info.Env().Undefined();
  });
}

// steps(order, size, rates, control)
Napi::Value TrainingObject::steps(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    int64_t count = 0;
    const uint32_t* order = rows_of(info[0], count);
    const int64_t size = to_int64(info[1], "size");
    const auto given = info[2].As<Napi::Float64Array>();
    const std::vector<double> rates(given.Data(), given.Data() + given.ElementLength());
    if (size < 1 || count < size * static_cast<int64_t>(rates.size()))
      throw Error("BAD_ARGUMENT", "Too few rows for so many steps");
    FrameStore& store = store_of(Napi::Number::New(info.Env(), 0));
    const Targets& targets = sets_.at(0).targets;
    check_rows(order, count, targets);
    return from_sum(info.Env(),
                    trainer().steps(store, targets, order, size, rates, to_control(info[3])));
  });
}

// evaluate(set, block, control)
Napi::Value TrainingObject::evaluate(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    FrameStore& store = store_of(info[0]);
    const int64_t block = std::max<int64_t>(1, to_int64(info[1], "block"));
    return from_sum(info.Env(),
                    trainer().evaluate(store, set_of(info[0]).targets, block, to_control(info[2])));
  });
}

// evaluateRun(set, frame or null, output, first, count, control)
Napi::Value TrainingObject::evaluate_run(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const Targets& targets = set_of(info[0]).targets;
    const Frame* frame =
        info[1].IsNull() ? nullptr : &FrameObject::Unwrap(info[1].ToObject())->frame();
    const int64_t first = to_int64(info[3], "first"), count = to_int64(info[4], "count");
    if (first < 0 || count < 0 || count > targets.samples - first ||
        (frame && frame->samples != count))
      throw Error("BAD_ARGUMENT", "A run is not among the samples");
    const float* output = float_data(info[2], count * outputs_, "output");
    return from_sum(info.Env(),
                    trainer().evaluate(frame, output, targets, first, count, to_control(info[5])));
  });
}

// store(set, samples, growth)
void TrainingObject::store(const Napi::CallbackInfo& info) {
  guarded(info.Env(), [&] {
    Set& set = set_of(info[0]);
    const int64_t samples = to_int64(info[1], "samples");
    if (samples != set.targets.samples)
      throw Error("BAD_ARGUMENT", "A store holds all samples of its set");
    const Napi::Array growths = info[2].As<Napi::Array>();
    std::vector<FrameStore::Growth> all;
    const size_t values = engine_->analysis.tape.values.size();
    for (uint32_t g = 0; g < growths.Length(); ++g) {
      const Napi::Object entry = growths.Get(g).ToObject();
      FrameStore::Growth growth;
      growth.id = static_cast<int>(to_int64(required(entry, "id"), "id"));
      growth.base = to_int64s(required(entry, "base"), "base");
      growth.slope = to_int64s(required(entry, "slope"), "slope");
      if (growth.id < 0 || static_cast<size_t>(growth.id) >= values ||
          growth.base.size() != growth.slope.size())
        throw Error("BAD_ARGUMENT", "A value of a store has no place in the graph");
      Shape whole = growth.base;
      for (size_t d = 0; d < whole.size(); ++d) whole[d] += samples * growth.slope[d];
      growth.stride = engine_->layout.batch_stride(growth.id, whole, samples);
      const Napi::Value data = entry.Get("data");
      if (!data.IsUndefined()) {
        const auto array = data.As<Napi::TypedArray>();
        if (static_cast<int64_t>(array.ElementLength()) != element_count(whole))
          throw Error("BAD_ARGUMENT", "An input of a store has another number of elements");
        growth.type = type_of(array);
        growth.given = static_cast<const uint8_t*>(array.ArrayBuffer().Data()) + array.ByteOffset();
        pins_.push_back(Napi::Persistent(data.As<Napi::Object>()));
      }
      all.push_back(std::move(growth));
    }
    set.store = std::make_unique<FrameStore>(values, std::move(all), samples, outputs_);
  });
}

// remember(set, frame, output, first)
void TrainingObject::remember(const Napi::CallbackInfo& info) {
  guarded(info.Env(), [&] {
    FrameStore& store = store_of(info[0]);
    const Frame& frame = FrameObject::Unwrap(info[1].ToObject())->frame();
    const float* output = float_data(info[2], frame.samples * outputs_, "output");
    const int64_t first = to_int64(info[3], "first");
    if (first < 0 || frame.samples > store.samples() - first)
      throw Error("BAD_ARGUMENT", "A run is not among the samples");
    store.add(frame, output, first);
  });
}

void TrainingObject::renew(const Napi::CallbackInfo& info) {
  guarded(info.Env(), [&] { trainer().renew(); });
}

void TrainingObject::send(const Napi::CallbackInfo& info) {
  guarded(info.Env(), [&] { trainer().send(); });
}

Napi::Value TrainingObject::device(const Napi::CallbackInfo& info) {
  return guarded(info.Env(),
                 [&] { return from_counts(info.Env(), trainer().device_counts(), {}); });
}

Napi::Value TrainingObject::present(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return guarded(env, [&]() -> Napi::Value {
    trainer().fetch();
    trainer().renew();
    const std::vector<int64_t> sizes = parameter_sizes(engine_->analysis.tape);
    Napi::Array result = Napi::Array::New(env, sizes.size());
    for (uint32_t p = 0; p < sizes.size(); ++p)
      result.Set(p, copied(env, trainer().present(static_cast<int>(p)), sizes[p]));
    return result;
  });
}

Napi::Value TrainingObject::done(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    return Napi::Number::New(info.Env(), static_cast<double>(trainer().done));
  });
}

void TrainingObject::set_done(const Napi::CallbackInfo& info, const Napi::Value& value) {
  guarded(info.Env(), [&] { trainer().done = to_int64(value, "done"); });
}

void TrainingObject::dispose(const Napi::CallbackInfo&) {
  trainer_.reset();
  sets_.clear();
  blocks_.clear();
  pins_.clear();
}

}  // namespace at
