#pragma once

#include <napi.h>

#include <memory>
#include <vector>

#include "binding/engine.h"
#include "train/trainer.h"

namespace at {

// A training and everything that it reads or writes, kept alive until dispose().
class TrainingObject : public Napi::ObjectWrap<TrainingObject> {
 public:
  static Napi::Function define(Napi::Env env);
  explicit TrainingObject(const Napi::CallbackInfo& info);
  void begin(const std::shared_ptr<EngineState>& engine, const Napi::Object& options);

 private:
  // Samples with their targets; a store where the forward runs are kept.
  struct Set {
    Targets targets;
    std::unique_ptr<FrameStore> store;
  };

  Napi::Value collect(const Napi::CallbackInfo& info);
  Napi::Value apply(const Napi::CallbackInfo& info);
  Napi::Value steps(const Napi::CallbackInfo& info);
  Napi::Value evaluate(const Napi::CallbackInfo& info);
  Napi::Value evaluate_run(const Napi::CallbackInfo& info);
  void store(const Napi::CallbackInfo& info);
  void remember(const Napi::CallbackInfo& info);
  void renew(const Napi::CallbackInfo& info);
  void send(const Napi::CallbackInfo& info);
  Napi::Value device(const Napi::CallbackInfo& info);
  Napi::Value present(const Napi::CallbackInfo& info);
  Napi::Value done(const Napi::CallbackInfo& info);
  void set_done(const Napi::CallbackInfo& info, const Napi::Value& value);
  void dispose(const Napi::CallbackInfo& info);

  Trainer& trainer();
  Set& set_of(const Napi::Value& index);
  FrameStore& store_of(const Napi::Value& index);

  std::shared_ptr<EngineState> engine_;
  std::vector<std::shared_ptr<Memory>> blocks_;
  std::vector<Napi::ObjectReference> pins_;
  std::vector<int64_t> counts_;
  std::vector<Set> sets_;
  int64_t outputs_ = 1;
  std::unique_ptr<Trainer> trainer_;
};

}  // namespace at
