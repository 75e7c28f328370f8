#include "binding/convert.h"
#include "binding/fit.h"
#include "binding/promise.h"
#include "fit/flow.h"

namespace at {

namespace {

using Doubles = std::shared_ptr<std::vector<double>>;

Doubles shared(std::vector<double> x) {
  return std::make_shared<std::vector<double>>(std::move(x));
}

void expect_length(const std::vector<double>& x, int64_t count, const char* what) {
  if (static_cast<int64_t>(x.size()) != count)
    throw Error("BAD_ARGUMENT", "Expected " + std::to_string(count) + " numbers for " + what +
                                    " but received " + std::to_string(x.size()));
}

// flow(lambda, z, {depth, start, time}) → {theta, values, drift, steps}
Napi::Value flow(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    Doubles lambda = shared(to_doubles(info[0], "lambda")), z = shared(to_doubles(info[1], "z"));
    expect_length(*z, static_cast<int64_t>(lambda->size()), "z");
    const Napi::Object given = info[2].ToObject();
    fit::FlowOptions options;
    options.depth = to_int64(given.Get("depth"), "depth");
    options.start = given.Get("start").ToNumber().DoubleValue();
    options.time = given.Get("time").ToNumber().DoubleValue();
    std::vector<Napi::ObjectReference> pins;
    const Control control = to_control(info[3], pins);
    auto out = std::make_shared<fit::Flow>();
    return run_async(
        info.Env(), [=] { *out = fit::adaptive_flow(*lambda, *z, options, control); },
        [out](Napi::Env env) -> Napi::Value {
          Napi::Object result = Napi::Object::New(env);
          result.Set("theta", from_doubles(env, out->theta));
          result.Set("values", from_doubles(env, out->values));
          result.Set("drift", out->drift);
          result.Set("steps", static_cast<double>(out->steps));
          return result;
        },
        std::move(pins));
  });
}

}  // namespace

void export_solve_flow(Napi::Env env, Napi::Object exports) {
  exports.Set("flow", Napi::Function::New(env, flow));
}

}  // namespace at
