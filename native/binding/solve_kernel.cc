#include <algorithm>
#include <cmath>

#include "binding/convert.h"
#include "binding/promise.h"
#include "binding/solve.h"
#include "core/parallel.h"
#include "core/shape.h"
#include "solve/flow.h"
#include "solve/spectral.h"

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

// createSpectrum(k, n) → Promise<SolveSpectrum>
class SolveSpectrum final : public Napi::ObjectWrap<SolveSpectrum> {
 public:
  using Shared = std::shared_ptr<const solve::KernelSpectrum>;

  static Napi::Function define(Napi::Env env) {
    return DefineClass(env, "SolveSpectrum",
                       {InstanceMethod<&SolveSpectrum::filter>("filter"),
                        InstanceMethod<&SolveSpectrum::errors>("errors"),
                        InstanceMethod<&SolveSpectrum::vectors>("vectors"),
                        InstanceAccessor<&SolveSpectrum::values>("values")});
  }
  explicit SolveSpectrum(const Napi::CallbackInfo& info) : Napi::ObjectWrap<SolveSpectrum>(info) {
    if (!info[0].IsExternal()) throw Napi::TypeError::New(info.Env(), "Use createSpectrum()");
    spectrum_ = *info[0].As<Napi::External<Shared>>().Data();
  }

 private:
  // filter(weights, x, columns) → V diag(weights) Vᵀ x
  Napi::Value filter(const Napi::CallbackInfo& info) {
    return guarded(info.Env(), [&]() -> Napi::Value {
      const int64_t columns = to_int64(info[2], "columns");
      Doubles weights = shared(to_doubles(info[0], "weights")),
              x = shared(to_doubles(info[1], "x"));
      expect_length(*weights, spectrum_->n(), "weights");
      expect_length(*x, checked_mul(spectrum_->n(), columns), "x");
      auto out = std::make_shared<std::vector<double>>();
      return run_async(
          info.Env(), [=, spectrum = spectrum_] { *out = spectrum->filter(*weights, *x, columns); },
          [out](Napi::Env env) -> Napi::Value { return from_doubles(env, *out); });
    });
  }
  // errors(ridges, y, columns, group, control?) → {gcv, loo}
  Napi::Value errors(const Napi::CallbackInfo& info) {
    return guarded(info.Env(), [&]() -> Napi::Value {
      const int64_t columns = to_int64(info[2], "columns"), group = to_int64(info[3], "group");
      if (group < 1 || spectrum_->n() % group != 0)
        throw Error("BAD_ARGUMENT", "Expected groups that divide the rows");
      std::vector<Napi::ObjectReference> pins;
      const Control control = to_control(info[4], pins);
      Doubles ridges = shared(to_doubles(info[0], "ridges")), y = shared(to_doubles(info[1], "y"));
      expect_length(*y, checked_mul(spectrum_->n(), columns), "targets");
      auto out = std::make_shared<solve::KernelSpectrum::Errors>();
      return run_async(
          info.Env(),
          [=, spectrum = spectrum_] {
            *out = spectrum->errors(*ridges, *y, columns, group, control);
          },
          [out](Napi::Env env) -> Napi::Value {
            Napi::Object result = Napi::Object::New(env);
            result.Set("gcv", from_doubles(env, out->gcv));
            result.Set("loo", from_doubles(env, out->loo));
            return result;
          },
          std::move(pins));
    });
  }
  Napi::Value values(const Napi::CallbackInfo& info) {
    return from_doubles(info.Env(), spectrum_->values());
  }
  Napi::Value vectors(const Napi::CallbackInfo& info) {
    return from_doubles(info.Env(), spectrum_->vectors());
  }

  Shared spectrum_;
};

// nystrom(omega, y, n, q) → {u, values}
Napi::Value nystrom(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const int64_t n = to_int64(info[2], "n"), q = to_int64(info[3], "q");
    Doubles omega = shared(to_doubles(info[0], "omega")), y = shared(to_doubles(info[1], "y"));
    expect_length(*omega, checked_mul(n, q), "omega");
    expect_length(*y, checked_mul(n, q), "y");
    if (q < 1 || q > n) throw Error("BAD_ARGUMENT", "Expected between one and n test vectors");
    auto out = std::make_shared<solve::Nystrom>();
    return run_async(
        info.Env(), [=] { *out = solve::nystrom(n, q, *omega, std::move(*y)); },
        [out](Napi::Env env) -> Napi::Value {
          Napi::Object result = Napi::Object::New(env);
          result.Set("u", from_doubles(env, out->u));
          result.Set("values", from_doubles(env, out->values));
          return result;
        });
  });
}

// flow(lambda, z, {depth, start, time}) → {theta, values, drift, steps}
Napi::Value flow(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    Doubles lambda = shared(to_doubles(info[0], "lambda")), z = shared(to_doubles(info[1], "z"));
    expect_length(*z, static_cast<int64_t>(lambda->size()), "z");
    const Napi::Object given = info[2].ToObject();
    solve::FlowOptions options;
    options.depth = to_int64(given.Get("depth"), "depth");
    options.start = given.Get("start").ToNumber().DoubleValue();
    options.time = given.Get("time").ToNumber().DoubleValue();
    std::vector<Napi::ObjectReference> pins;
    const Control control = to_control(info[3], pins);
    auto out = std::make_shared<solve::Flow>();
    return run_async(
        info.Env(), [=] { *out = solve::adaptive_flow(*lambda, *z, options, control); },
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

void export_solve_kernel(Napi::Env env, Napi::Object exports) {
  const Napi::Function spectrum = SolveSpectrum::define(env);
  auto constructor = std::make_shared<Napi::FunctionReference>(Napi::Persistent(spectrum));
  constructor->SuppressDestruct();  // the environment may be gone before this closure
  exports.Set("flow", Napi::Function::New(env, flow));
  exports.Set("nystrom", Napi::Function::New(env, nystrom));
  exports.Set(
      "createSpectrum", Napi::Function::New(env, [constructor](const Napi::CallbackInfo& info) {
        return guarded(info.Env(), [&]() -> Napi::Value {
          const int64_t n = to_int64(info[1], "n");
          if (n < 1) throw Error("BAD_ARGUMENT", "Expected a kernel of at least one row");
          Doubles k = shared(to_matrix(info[0], n));
          auto made = std::make_shared<SolveSpectrum::Shared>();
          return run_async(
              info.Env(),
              [=] { *made = std::make_shared<const solve::KernelSpectrum>(n, std::move(*k)); },
              [made, constructor](Napi::Env inner) -> Napi::Value {
                return constructor->New(
                    {Napi::External<SolveSpectrum::Shared>::New(inner, made.get())});
              });
        });
      }));
}

}  // namespace at
