#include "binding/convert.h"
#include "binding/fit.h"
#include "binding/linear.h"
#include "binding/promise.h"
#include "core/parallel.h"
#include "core/shape.h"
#include "linear/krylov.h"

namespace at {

namespace {

using Doubles = std::shared_ptr<std::vector<double>>;

// new KrylovBasis(n, threads); one call at a time.
class KrylovBasis final : public Napi::ObjectWrap<KrylovBasis> {
 public:
  static Napi::Function define(Napi::Env env) {
    return DefineClass(
        env, "KrylovBasis",
        {InstanceMethod<&KrylovBasis::add>("add"), InstanceMethod<&KrylovBasis::recall>("recall"),
         InstanceMethod<&KrylovBasis::extend>("extend"),
         InstanceMethod<&KrylovBasis::outside>("outside"),
         InstanceMethod<&KrylovBasis::ritz>("ritz"), InstanceMethod<&KrylovBasis::unseen>("unseen"),
         InstanceMethod<&KrylovBasis::vectors>("vectors"),
         InstanceAccessor<&KrylovBasis::size>("size"),
         InstanceAccessor<&KrylovBasis::width>("width"),
         InstanceAccessor<&KrylovBasis::aside>("aside")});
  }
  explicit KrylovBasis(const Napi::CallbackInfo& info)
      : Napi::ObjectWrap<KrylovBasis>(info),
        basis_(std::make_shared<linear::KrylovBasis>(to_int64(info[0], "n"))),
        threads_(static_cast<int>(to_int64(info[1], "threads"))) {}

 private:
  // Runs work(basis) off the JS thread, within the thread budget.
  template <class Work, class Finish>
  Napi::Value start(Napi::Env env, Work work, Finish finish) {
    return run_async(
        env,
        [work, basis = basis_, threads = threads_] {
          with_threads(threads, [&] { work(*basis); });
        },
        std::move(finish));
  }
  // add(block, columns, append) → the waiting block
  Napi::Value add(const Napi::CallbackInfo& info) {
    return guarded(info.Env(), [&]() -> Napi::Value {
      const int64_t columns = to_int64(info[1], "columns");
      Doubles block = numbers(info[0], checked_mul(basis_->n(), columns));
      const bool append = info[2].ToBoolean();
      return start(
          info.Env(),
          [=](linear::KrylovBasis& basis) {
            basis.add(*block, columns, append);
            *block = basis.next();
          },
          [block](Napi::Env env) -> Napi::Value { return from_doubles(env, *block); });
    });
  }
  // recall() → the waiting block
  Napi::Value recall(const Napi::CallbackInfo& info) {
    return guarded(info.Env(), [&]() -> Napi::Value {
      auto block = std::make_shared<std::vector<double>>();
      return start(
          info.Env(),
          [=](linear::KrylovBasis& basis) {
            basis.recall();
            *block = basis.next();
          },
          [block](Napi::Env env) -> Napi::Value { return from_doubles(env, *block); });
    });
  }
  // extend(products) → the waiting block
  Napi::Value extend(const Napi::CallbackInfo& info) {
    return guarded(info.Env(), [&]() -> Napi::Value {
      Doubles block = numbers(info[0], checked_mul(basis_->n(), basis_->width()));
      return start(
          info.Env(),
          [=](linear::KrylovBasis& basis) {
            basis.extend(*block);
            *block = basis.next();
          },
          [block](Napi::Env env) -> Napi::Value { return from_doubles(env, *block); });
    });
  }
  // outside(block, columns) → block
  Napi::Value outside(const Napi::CallbackInfo& info) {
    return guarded(info.Env(), [&]() -> Napi::Value {
      const int64_t columns = to_int64(info[1], "columns");
      Doubles block = numbers(info[0], checked_mul(basis_->n(), columns));
      return start(
          info.Env(), [=](linear::KrylovBasis& basis) { *block = basis.outside(*block, columns); },
          [block](Napi::Env env) -> Napi::Value { return from_doubles(env, *block); });
    });
  }
  // ritz() → {values, residuals, own, first}
  Napi::Value ritz(const Napi::CallbackInfo& info) {
    return guarded(info.Env(), [&]() -> Napi::Value {
      auto out = std::make_shared<linear::KrylovBasis::Ritz>();
      return start(
          info.Env(), [=](linear::KrylovBasis& basis) { *out = basis.ritz(); },
          [out](Napi::Env env) -> Napi::Value {
            Napi::Object result = Napi::Object::New(env);
            result.Set("values", from_doubles(env, out->values));
            result.Set("residuals", from_doubles(env, out->residuals));
            result.Set("own", from_doubles(env, out->own));
            result.Set("first", from_doubles(env, out->first));
            return result;
          });
    });
  }
  // unseen(level) → {value, residual, logProbability}
  Napi::Value unseen(const Napi::CallbackInfo& info) {
    return guarded(info.Env(), [&]() -> Napi::Value {
      const double level = info[0].ToNumber().DoubleValue();
      auto out = std::make_shared<linear::KrylovBasis::Unseen>();
      return start(
          info.Env(), [=](linear::KrylovBasis& basis) { *out = basis.unseen(level); },
          [out](Napi::Env env) -> Napi::Value {
            Napi::Object result = Napi::Object::New(env);
            result.Set("value", out->value);
            result.Set("residual", out->residual);
            result.Set("logProbability", out->log_probability);
            return result;
          });
    });
  }
  // vectors(count) → (count, n)
  Napi::Value vectors(const Napi::CallbackInfo& info) {
    return guarded(info.Env(), [&]() -> Napi::Value {
      const int64_t count = to_int64(info[0], "count");
      auto out = std::make_shared<std::vector<double>>();
      return start(
          info.Env(), [=](linear::KrylovBasis& basis) { *out = basis.vectors(count); },
          [out](Napi::Env env) -> Napi::Value { return from_doubles(env, *out); });
    });
  }
  Napi::Value size(const Napi::CallbackInfo& info) {
    return Napi::Number::New(info.Env(), static_cast<double>(basis_->size()));
  }
  Napi::Value width(const Napi::CallbackInfo& info) {
    return Napi::Number::New(info.Env(), static_cast<double>(basis_->width()));
  }
  Napi::Value aside(const Napi::CallbackInfo& info) {
    return Napi::Number::New(info.Env(), static_cast<double>(basis_->aside()));
  }

  static Doubles numbers(const Napi::Value& value, int64_t count) {
    auto x = std::make_shared<std::vector<double>>(to_doubles(value, "vectors"));
    if (static_cast<int64_t>(x->size()) != count)
      throw Error("BAD_ARGUMENT", "Expected " + std::to_string(count) + " numbers but received " +
                                      std::to_string(x->size()));
    return x;
  }

  std::shared_ptr<linear::KrylovBasis> basis_;
  int threads_;
};

}  // namespace

void export_linear_krylov(Napi::Env env, Napi::Object exports) {
  exports.Set("KrylovBasis", KrylovBasis::define(env));
}

}  // namespace at
