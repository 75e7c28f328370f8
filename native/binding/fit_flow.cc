#include "binding/convert.h"
#include "binding/fit.h"
#include "binding/promise.h"
#include "core/parallel.h"
#include "core/shape.h"
#include "fit/coordinates.h"
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

struct FlowSettings {
  fit::FlowOptions options;
  int threads = 0;
};

// {fixed, depth, start, threads}
FlowSettings to_settings(const Napi::Value& value) {
  const Napi::Object given = value.ToObject();
  FlowSettings settings;
  settings.options.fixed = given.Get("fixed").ToBoolean();
  settings.options.depth = to_int64(given.Get("depth"), "depth");
  settings.options.start = given.Get("start").ToNumber().DoubleValue();
  settings.threads = static_cast<int>(to_int64(given.Get("threads"), "threads"));
  return settings;
}

// flow(lambda, z, settings, time, epsilon, control?) → {theta, roots, drift, risk}
Napi::Value flow(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    Doubles lambda = shared(to_doubles(info[0], "lambda")), z = shared(to_doubles(info[1], "z"));
    expect_length(*z, static_cast<int64_t>(lambda->size()), "z");
    const FlowSettings given = to_settings(info[2]);
    const double time = info[3].ToNumber().DoubleValue();
    const double epsilon = info[4].ToNumber().DoubleValue();
    std::vector<Napi::ObjectReference> pins;
    const Control control = to_control(info[5], pins);
    auto out = std::make_shared<fit::Flow>();
    return run_async(
        info.Env(),
        [=] {
          with_threads(given.threads, [&] {
            *out = fit::flow_at(*lambda, *z, given.options, time, epsilon, control);
          });
        },
        [out](Napi::Env env) -> Napi::Value {
          Napi::Object result = Napi::Object::New(env);
          result.Set("theta", from_doubles(env, out->theta));
          result.Set("roots", from_doubles(env, out->roots));
          result.Set("drift", out->drift);
          result.Set("risk", out->risk);
          return result;
        },
        std::move(pins));
  });
}

// flowRisks(lambda, z, settings, times, epsilon, control?) → (times)
Napi::Value flow_risks(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    Doubles lambda = shared(to_doubles(info[0], "lambda")), z = shared(to_doubles(info[1], "z")),
            times = shared(to_doubles(info[3], "times"));
    expect_length(*z, static_cast<int64_t>(lambda->size()), "z");
    const FlowSettings given = to_settings(info[2]);
    const double epsilon = info[4].ToNumber().DoubleValue();
    std::vector<Napi::ObjectReference> pins;
    const Control control = to_control(info[5], pins);
    auto out = std::make_shared<std::vector<double>>();
    return run_async(
        info.Env(),
        [=] {
          with_threads(given.threads, [&] {
            *out = fit::flow_risks(*lambda, *z, given.options, *times, epsilon, control);
          });
        },
        [out](Napi::Env env) -> Napi::Value { return from_doubles(env, *out); }, std::move(pins));
  });
}

// coordinateFlow(functions, y, lambda, settings, times, fold, folds, control?)
// → {theta, roots, fit, time, errors}
Napi::Value coordinate_flow(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    auto problem = std::make_shared<fit::CoordinateProblem>();
    problem->y = to_doubles(info[1], "y");
    problem->lambda = to_doubles(info[2], "lambda");
    problem->samples = static_cast<int64_t>(problem->y.size());
    problem->count = static_cast<int64_t>(problem->lambda.size());
    problem->functions =
        to_numbers(info[0], checked_mul(problem->samples, problem->count), "functions");
    const FlowSettings given = to_settings(info[3]);
    problem->options = given.options;
    const Napi::Object settings = info[3].ToObject();
    problem->device = text_or(settings, "device", problem->device);
    if (problem->device != "cpu")
      problem->memory = static_cast<size_t>(settings.Get("memory").ToNumber().DoubleValue());
    Doubles times = shared(to_doubles(info[4], "times"));
    auto fold = std::make_shared<std::vector<int>>(to_ints(info[5], "fold"));
    const int folds = static_cast<int>(to_int64(info[6], "folds"));
    std::vector<Napi::ObjectReference> pins;
    const Control control = to_control(info[7], pins);
    auto out = std::make_shared<fit::CoordinateFlow>();
    return run_async(
        info.Env(),
        [=] {
          with_threads(given.threads, [&] {
            *out = fit::coordinate_flow(*problem, *times, *fold, folds, control);
          });
        },
        [out](Napi::Env env) -> Napi::Value {
          Napi::Object result = Napi::Object::New(env);
          result.Set("theta", from_doubles(env, out->theta));
          result.Set("roots", from_doubles(env, out->roots));
          result.Set("fit", from_doubles(env, out->fit));
          result.Set("errors", from_doubles(env, out->errors));
          result.Set("time", out->time);
          return result;
        },
        std::move(pins));
  });
}

}  // namespace

void export_solve_flow(Napi::Env env, Napi::Object exports) {
  exports.Set("flow", Napi::Function::New(env, flow));
  exports.Set("flowRisks", Napi::Function::New(env, flow_risks));
  exports.Set("coordinateFlow", Napi::Function::New(env, coordinate_flow));
}

}  // namespace at
