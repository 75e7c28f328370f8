#pragma once

#include <napi.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/error.h"

namespace at {

// work() runs off the JavaScript thread and touches plain C++ data only; finish(env) then makes the
// value that the promise resolves to. `pins` are kept alive meanwhile.
template <class Work, class Finish>
class PromiseWorker final : public Napi::AsyncWorker {
 public:
  PromiseWorker(Napi::Env env, Work work, Finish finish, std::vector<Napi::ObjectReference> pins)
      : Napi::AsyncWorker(env),
        deferred_(Napi::Promise::Deferred::New(env)),
        work_(std::move(work)),
        finish_(std::move(finish)),
        pins_(std::move(pins)) {}

  Napi::Promise promise() const { return deferred_.Promise(); }

  void Execute() override {
    try {
      work_();
    } catch (const Error& error) {
      fail(error.code(), error.what());
    } catch (const std::bad_alloc&) {
      fail("OUT_OF_MEMORY", "The system gave no more memory");
    } catch (const std::exception& error) {
      fail("FAILED", error.what());
    }
  }
  void OnOK() override { deferred_.Resolve(finish_(Env())); }
  void OnError(const Napi::Error& error) override {
    Napi::Error thrown = error;
    thrown.Set("code", Napi::String::New(Env(), code_));
    deferred_.Reject(thrown.Value());
  }

 private:
  void fail(const std::string& code, const std::string& message) {
    code_ = code;
    SetError(message);
  }

  Napi::Promise::Deferred deferred_;
  Work work_;
  Finish finish_;
  std::vector<Napi::ObjectReference> pins_;
  std::string code_;
};

template <class Work, class Finish>
Napi::Promise run_async(Napi::Env env, Work work, Finish finish,
                        std::vector<Napi::ObjectReference> pins = {}) {
  auto* worker =
      new PromiseWorker<Work, Finish>(env, std::move(work), std::move(finish), std::move(pins));
  const Napi::Promise promise = worker->promise();
  worker->Queue();
  return promise;
}

}  // namespace at
