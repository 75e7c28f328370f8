#include "binding/convert.h"
#include "binding/fit.h"
#include "binding/promise.h"
#include "core/lapack.h"
#include "core/parallel.h"
#include "fit/adapted_operator.h"
#include "fit/adaptive.h"
#include "fit/problem.h"

namespace at {

namespace {

const char* name_of(fit::Status status) {
  switch (status) {
    case fit::Status::running:
      return "running";
    case fit::Status::converged:
      return "converged";
    case fit::Status::stalled:
      return "stalled";
    default:
      return "singular";
  }
}

const char* name_of(fit::Step step) {
  switch (step) {
    case fit::Step::plain:
      return "plain";
    case fit::Step::anderson:
      return "anderson";
    default:
      return "extended";
  }
}

double number_or(const Napi::Object& object, const char* name, double otherwise) {
  const Napi::Value value = object.Get(name);
  return value.IsUndefined() ? otherwise : value.ToNumber().DoubleValue();
}

using Builder = std::shared_ptr<fit::SharedBuilder>;

fit::AdaptiveOptions to_options(const Napi::Object& given) {
  fit::AdaptiveOptions options;
  options.ridge = number_or(given, "ridge", options.ridge);
  options.tolerance = number_or(given, "tolerance", options.tolerance);
  options.stationarity = number_or(given, "stationarity", options.stationarity);
  options.depth = static_cast<int>(number_or(given, "depth", options.depth));
  options.products = given.Get("products").ToBoolean();
  options.device = text_or(given, "device", options.device);
  options.memory = static_cast<size_t>(number_or(given, "memory", 1e15));
  return options;
}

// checkFitMemory(rows, size, options)
Napi::Value check_fit_memory(const Napi::CallbackInfo& info) {
  guarded(info.Env(), [&] {
    fit::check_memory(info[0].ToNumber().Int64Value(), info[1].ToNumber().Int64Value(),
                      to_options(info[2].ToObject()));
  });
  return info.Env().Undefined();
}

// new SolveFit(features, rules, targets, options)
class SolveFit final : public Napi::ObjectWrap<SolveFit> {
 public:
  static Napi::Function define(Napi::Env env) {
    return DefineClass(
        env, "SolveFit",
        {InstanceMethod<&SolveFit::set_price>("setPrice"),
         InstanceMethod<&SolveFit::warm_start>("warmStart"),
         InstanceMethod<&SolveFit::iterate>("iterate"), InstanceMethod<&SolveFit::block>("block"),
         InstanceMethod<&SolveFit::save>("save"), InstanceMethod<&SolveFit::restore>("restore"),
         InstanceMethod<&SolveFit::last>("last"), InstanceMethod<&SolveFit::free>("free"),
         InstanceAccessor<&SolveFit::status>("status"),
         InstanceAccessor<&SolveFit::builder>("builder"),
         InstanceAccessor<&SolveFit::redundant>("redundant"),
         InstanceAccessor<&SolveFit::solution>("solution"), InstanceAccessor<&SolveFit::fit>("fit"),
         InstanceAccessor<&SolveFit::dual>("dual")});
  }

  explicit SolveFit(const Napi::CallbackInfo& info) : Napi::ObjectWrap<SolveFit>(info) {
    guarded(info.Env(), [&] {
      const Napi::Array list = info[1].As<Napi::Array>();
      std::vector<fit::BlockRule> rules;
      for (uint32_t i = 0; i < list.Length(); ++i) rules.push_back(to_rule(list.Get(i).ToObject()));
      const Napi::Object given = info[3].ToObject();
      fit::AdaptiveOptions options = to_options(given);
      if (options.products) options.sketch = to_doubles(given.Get("sketch"), "sketch");
      if (given.Get("builder").IsExternal())
        options.builder = *given.Get("builder").As<Napi::External<Builder>>().Data();
      threads_ = static_cast<int>(number_or(given, "threads", 0));
      fit_ = std::make_shared<fit::AdaptiveFit>(features_of(info[0]), std::move(rules),
                                                to_doubles(info[2], "targets"), options);
    });
  }

 private:
  // A method that computes off the JavaScript thread; one at a time.
  template <class Work, class Finish>
  Napi::Value start(Napi::Env env, Work work, Finish finish,
                    std::vector<Napi::ObjectReference> pins = {}) {
    if (*busy_) throw Error("FAILED", "The fit is already at work");
    *busy_ = true;
    auto busy = busy_;
    auto fit = fit_;
    const int threads = threads_;
    struct Release {
      std::shared_ptr<bool> flag;
      ~Release() { *flag = false; }
    };
    auto release = std::make_shared<Release>(Release{busy});
    busy.reset();
    return run_async(
        env, [=] { with_threads(threads, [&] { work(*fit); }); },
        [finish, fit, release](Napi::Env inner) {
          *release->flag = false;
          return finish(inner, *fit);
        },
        std::move(pins));
  }

  // setPrice(price, relative, control?) → √price in the targets' units
  Napi::Value set_price(const Napi::CallbackInfo& info) {
    return guarded(info.Env(), [&] {
      const double price = info[0].ToNumber().DoubleValue();
      const bool relative = info[1].ToBoolean();
      std::vector<Napi::ObjectReference> pins;
      const Control control = to_control(info[2], pins);
      return start(
          info.Env(), [=](fit::AdaptiveFit& fit) { fit.set_price(price, relative, control); },
          [](Napi::Env env, fit::AdaptiveFit& fit) { return Napi::Number::New(env, fit.unit()); },
          std::move(pins));
    });
  }

  Napi::Value warm_start(const Napi::CallbackInfo& info) {
    return guarded(info.Env(), [&] {
      auto b = std::make_shared<std::vector<double>>(to_doubles(info[0], "b"));
      return start(
          info.Env(), [b](fit::AdaptiveFit& fit) { fit.warm_start(*b); },
          [](Napi::Env env, fit::AdaptiveFit&) { return env.Undefined(); });
    });
  }

  static Napi::Value report(Napi::Env env, const fit::AdaptiveFit& fit) {
    const fit::Iteration last = fit.last();
    Napi::Object result = Napi::Object::New(env);
    result.Set("iteration", static_cast<double>(last.number));
    result.Set("objective", last.objective);
    result.Set("penalty", last.penalty);
    result.Set("misfit", last.misfit);
    result.Set("decrease", last.decrease);
    result.Set("stationarity", last.stationarity);
    result.Set("condition", last.condition);
    result.Set("kernelSeconds", last.kernel_seconds);
    result.Set("solveSeconds", last.solve_seconds);
    result.Set("kernelFlops", last.kernel_flops);
    result.Set("step", name_of(last.step));
    result.Set("status", name_of(fit.status()));
    return result;
  }

  Napi::Value iterate(const Napi::CallbackInfo& info) {
    return guarded(info.Env(), [&] {
      std::vector<Napi::ObjectReference> pins;
      const Control control = to_control(info[0], pins);
      return start(
          info.Env(), [control](fit::AdaptiveFit& fit) { fit.iterate(control); },
          [](Napi::Env env, fit::AdaptiveFit& fit) { return report(env, fit); }, std::move(pins));
    });
  }

  // block(index) → its singular values, vectors and transformation
  Napi::Value block(const Napi::CallbackInfo& info) {
    return guarded(info.Env(), [&]() -> Napi::Value {
      const auto index = static_cast<size_t>(to_int64(info[0], "index"));
      if (index >= fit_->rules().size()) throw Error("BAD_ARGUMENT", "No such block");
      auto shaped = std::make_shared<fit::Shaped>();
      return start(
          info.Env(), [shaped, index](fit::AdaptiveFit& fit) { *shaped = fit.described(index); },
          [shaped, index](Napi::Env env, fit::AdaptiveFit& fit) {
            Napi::Object result = Napi::Object::New(env);
            result.Set("penalty", shaped->penalty);
            result.Set("singular", from_doubles(env, shaped->singular));
            result.Set("stretches", from_doubles(env, shaped->stretches));
            result.Set("u", from_doubles(env, shaped->u));
            result.Set("vt", from_doubles(env, shaped->vt));
            result.Set("transform", from_transform(env, shaped->transform));
            result.Set("b", from_doubles(env, fit.solution(index)));
            return result;
          });
    });
  }

  Napi::Value save(const Napi::CallbackInfo& info) {
    return guarded(info.Env(), [&] {
      idle();
      return from_doubles(info.Env(), fit_->save());
    });
  }

  Napi::Value restore(const Napi::CallbackInfo& info) {
    return guarded(info.Env(), [&] {
      auto state = std::make_shared<std::vector<double>>(to_doubles(info[0], "state"));
      return start(
          info.Env(), [state](fit::AdaptiveFit& fit) { fit.restore(*state); },
          [](Napi::Env env, fit::AdaptiveFit&) { return env.Undefined(); });
    });
  }

  Napi::Value last(const Napi::CallbackInfo& info) {
    return guarded(info.Env(), [&] {
      idle();
      return report(info.Env(), *fit_);
    });
  }
  Napi::Value status(const Napi::CallbackInfo& info) {
    return Napi::String::New(info.Env(), name_of(fit_->status()));
  }
  Napi::Value builder(const Napi::CallbackInfo& info) {
    return Napi::External<Builder>::New(info.Env(), new Builder(fit_->builder()),
                                        [](Napi::Env, Builder* held) { delete held; });
  }
  Napi::Value redundant(const Napi::CallbackInfo& info) {
    return Napi::Number::New(info.Env(), static_cast<double>(fit_->redundant()));
  }
  // free(): the last call; features, factors and a device go.
  void free(const Napi::CallbackInfo&) { fit_.reset(); }
  Napi::Value solution(const Napi::CallbackInfo& info) { return vector(info, fit_->solution()); }
  Napi::Value fit(const Napi::CallbackInfo& info) { return vector(info, fit_->fit()); }
  Napi::Value dual(const Napi::CallbackInfo& info) { return vector(info, fit_->dual()); }

  Napi::Value vector(const Napi::CallbackInfo& info, const std::vector<double>& x) {
    return guarded(info.Env(), [&] {
      idle();
      return from_doubles(info.Env(), x);
    });
  }
  void idle() const {
    if (*busy_) throw Error("FAILED", "The fit is at work");
  }

  std::shared_ptr<fit::AdaptiveFit> fit_;
  std::shared_ptr<bool> busy_ = std::make_shared<bool>(false);
  int threads_ = 0;
};

}  // namespace

void export_solve_fit(Napi::Env env, Napi::Object exports) {
  exports.Set("SolveFit", SolveFit::define(env));
  exports.Set("sketchRank", static_cast<double>(fit::kSketchRank));
  exports.Set("checkFitMemory", Napi::Function::New(env, check_fit_memory));
}

}  // namespace at
