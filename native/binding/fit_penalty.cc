#include <atomic>
#include <future>

#include "binding/convert.h"
#include "binding/fit.h"

namespace at {

namespace {

std::vector<double> to_powers(const Napi::Value& value) {
  std::vector<double> powers;
  const Napi::Array array = value.As<Napi::Array>();
  for (uint32_t i = 0; i < array.Length(); ++i)
    powers.push_back(array.Get(i).ToNumber().DoubleValue());
  return powers;
}

// A penalty computed by JavaScript: solver threads wait for the event loop to answer. It is asked
// for a few singular values at a time.
class CallbackPenalty final : public fit::Penalty {
 public:
  CallbackPenalty(Napi::Env env, const Napi::Function& function, int sides)
      : open_(std::make_shared<std::atomic<bool>>(true)), sides_(sides) {
    // The environment closes the function when it goes, maybe before this object.
    auto* flag = new std::shared_ptr<std::atomic<bool>>(open_);
    function_ = Napi::ThreadSafeFunction::New(
        env, function, "penalty", 0, 1,
        [](Napi::Env, std::shared_ptr<std::atomic<bool>>* open) {
          **open = false;
          delete open;
        },
        flag);
    function_.Unref(env);
  }
  ~CallbackPenalty() override {
    if (*open_) function_.Release();
  }
  int sides() const override { return sides_; }

  void evaluate(const double* v, int64_t count, double* value, double* z) const override {
    // Held by the question alone: when it is dropped unanswered, the wait below ends.
    auto answered = std::make_shared<std::promise<std::string>>();
    std::future<std::string> answer = answered->get_future();
    auto ask = [=](Napi::Env env, Napi::Function function) {
      try {
        const auto n = static_cast<size_t>(count), all = n * static_cast<size_t>(sides_);
        Napi::Float64Array in = from_doubles(env, v, n);
        Napi::Float64Array values = Napi::Float64Array::New(env, n);
        Napi::Float64Array stretches = Napi::Float64Array::New(env, all);
        function.Call({in, values, stretches});
        std::copy(values.Data(), values.Data() + n, value);
        std::copy(stretches.Data(), stretches.Data() + all, z);
        answered->set_value("");
      } catch (const Napi::Error& error) {
        answered->set_value(error.Message().empty() ? "unknown" : error.Message());
      }
    };
    if (!*open_ || function_.BlockingCall(std::move(ask)) != napi_ok)
      throw Error("FAILED", "The penalty function is gone");
    answered.reset();
    const std::string failure = answer.get();
    if (!failure.empty()) throw Error("BAD_ARGUMENT", failure);
  }

 private:
  Napi::ThreadSafeFunction function_;
  std::shared_ptr<std::atomic<bool>> open_;
  int sides_;
};

// penalty(powers, v) → {value, z}
Napi::Value penalty(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return guarded(env, [&]() -> Napi::Value {
    const fit::PowerPenalty rule(to_powers(info[0]));
    const std::vector<double> v = to_doubles(info[1], "v");
    std::vector<double> value(v.size()), z(v.size() * rule.sides());
    rule.evaluate(v.data(), static_cast<int64_t>(v.size()), value.data(), z.data());
    Napi::Object result = Napi::Object::New(env);
    result.Set("value", from_doubles(env, value));
    result.Set("z", from_doubles(env, z));
    return result;
  });
}

}  // namespace

std::shared_ptr<const fit::Penalty> to_penalty(const Napi::Value& value) {
  if (value.IsArray()) return std::make_shared<fit::PowerPenalty>(to_powers(value));
  const Napi::Object object = value.ToObject();
  return std::make_shared<CallbackPenalty>(
      value.Env(), required(object, "evaluate").As<Napi::Function>(),
      static_cast<int>(to_int64(object.Get("sides"), "sides")));
}

void export_solve_penalty(Napi::Env env, Napi::Object exports) {
  exports.Set("penalty", Napi::Function::New(env, penalty));
}

}  // namespace at
