#include "binding/convert.h"
#include "binding/promise.h"
#include "binding/solve.h"
#include "core/parallel.h"
#include "core/shape.h"
#include "solve/krylov.h"

namespace at {

namespace {

using Doubles = std::shared_ptr<std::vector<double>>;

// new KrylovBasis(n, threads); one call at a time.
class KrylovBasis final : public Napi::ObjectWrap<KrylovBasis> {
 public:
  static Napi::Function define(Napi::Env env) {
    return DefineClass(env, "KrylovBasis",
                       {InstanceMethod<&KrylovBasis::extend>("extend"),
                        InstanceMethod<&KrylovBasis::orthogonalise>("orthogonalise"),
                        InstanceMethod<&KrylovBasis::combine>("combine")});
  }
  explicit KrylovBasis(const Napi::CallbackInfo& info)
      : Napi::ObjectWrap<KrylovBasis>(info),
        basis_(std::make_shared<solve::KrylovBasis>(to_int64(info[0], "n"))),
        threads_(static_cast<int>(to_int64(info[1], "threads"))) {}

 private:
  // extend(q, image) → {along, size, rest, length}
  Napi::Value extend(const Napi::CallbackInfo& info) {
    return guarded(info.Env(), [&]() -> Napi::Value {
      Doubles q = vector(info[0], basis_->n()), image = vector(info[1], basis_->n());
      auto step = std::make_shared<solve::KrylovBasis::Step>();
      return run_async(
          info.Env(),
          [=, basis = basis_, threads = threads_] {
            with_threads(threads, [&] { *step = basis->extend(std::move(*q), std::move(*image)); });
          },
          [step](Napi::Env env) -> Napi::Value {
            Napi::Object out = Napi::Object::New(env);
            out.Set("along", step->along);
            out.Set("size", step->size);
            out.Set("rest", from_doubles(env, step->rest));
            out.Set("length", step->length);
            return out;
          });
    });
  }
  // orthogonalise(v) → {rest, length}
  Napi::Value orthogonalise(const Napi::CallbackInfo& info) {
    return guarded(info.Env(), [&]() -> Napi::Value {
      Doubles v = vector(info[0], basis_->n());
      auto length = std::make_shared<double>(0);
      return run_async(
          info.Env(),
          [=, basis = basis_, threads = threads_] {
            with_threads(threads, [&] { *length = basis->orthogonalise(*v); });
          },
          [v, length](Napi::Env env) -> Napi::Value {
            Napi::Object out = Napi::Object::New(env);
            out.Set("rest", from_doubles(env, *v));
            out.Set("length", *length);
            return out;
          });
    });
  }
  // combine(coefficients, count) → (count, n)
  Napi::Value combine(const Napi::CallbackInfo& info) {
    return guarded(info.Env(), [&]() -> Napi::Value {
      const int64_t count = to_int64(info[1], "count");
      Doubles coefficients = vector(info[0], checked_mul(count, basis_->size()));
      auto out = std::make_shared<std::vector<double>>();
      return run_async(
          info.Env(),
          [=, basis = basis_, threads = threads_] {
            with_threads(threads, [&] { *out = basis->combine(*coefficients, count); });
          },
          [out](Napi::Env env) -> Napi::Value { return from_doubles(env, *out); });
    });
  }

  static Doubles vector(const Napi::Value& value, int64_t count) {
    auto x = std::make_shared<std::vector<double>>(to_doubles(value, "vector"));
    if (static_cast<int64_t>(x->size()) != count)
      throw Error("BAD_ARGUMENT", "Expected a vector of " + std::to_string(count) +
                                      " numbers but received " + std::to_string(x->size()));
    return x;
  }

  std::shared_ptr<solve::KrylovBasis> basis_;
  int threads_;
};

}  // namespace

void export_solve_krylov(Napi::Env env, Napi::Object exports) {
  exports.Set("KrylovBasis", KrylovBasis::define(env));
}

}  // namespace at
