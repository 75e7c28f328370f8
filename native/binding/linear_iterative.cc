// Conjugate gradients whose products JavaScript makes.
#include "binding/convert.h"
#include "binding/fit.h"
#include "binding/linear.h"
#include "binding/promise.h"
#include "core/parallel.h"
#include "core/shape.h"
#include "linear/iterative.h"

namespace at {

namespace {

using Doubles = std::shared_ptr<std::vector<double>>;
using Solver = linear::ConjugateGradients;

Doubles to_numbers(const Napi::Value& value, int64_t count, const char* what) {
  auto x = std::make_shared<std::vector<double>>(to_doubles(value, what));
  if (static_cast<int64_t>(x->size()) != count)
    throw Error("BAD_ARGUMENT", "Expected " + std::to_string(count) + " numbers for " + what +
                                    " but received " + std::to_string(x->size()));
  return x;
}

// new ConjugateGradients(n, columns, ridge, {tolerance, iterations, threads}); one call at a time.
class ConjugateGradients final : public Napi::ObjectWrap<ConjugateGradients> {
 public:
  static Napi::Function define(Napi::Env env) {
    return DefineClass(env, "ConjugateGradients",
                       {InstanceMethod<&ConjugateGradients::begin>("begin"),
                        InstanceMethod<&ConjugateGradients::start>("start"),
                        InstanceMethod<&ConjugateGradients::take>("take"),
                        InstanceMethod<&ConjugateGradients::solution>("solution"),
                        InstanceAccessor<&ConjugateGradients::residual>("residual"),
                        InstanceAccessor<&ConjugateGradients::iterations>("iterations")});
  }
  explicit ConjugateGradients(const Napi::CallbackInfo& info)
      : Napi::ObjectWrap<ConjugateGradients>(info),
        state_(std::make_shared<State>()),
        n_(to_int64(info[0], "n")),
        columns_(to_int64(info[1], "columns")),
        ridge_(info[2].ToNumber().DoubleValue()) {
    const Napi::Object options = info[3].ToObject();
    options_.tolerance = options.Get("tolerance").ToNumber().DoubleValue();
    options_.iterations = to_int64(options.Get("iterations"), "iterations");
    threads_ = static_cast<int>(to_int64(options.Get("threads"), "threads"));
  }

 private:
  struct State {
    std::unique_ptr<Solver> solver;
  };

  // Runs work(solver) off the JS thread, within the thread budget, and resolves to what is next.
  template <class Work>
  Napi::Value advance(Napi::Env env, Work work) {
    auto next = std::make_shared<std::vector<double>>();
    return run_async(
        env,
        [=, state = state_, threads = threads_] {
          with_threads(threads, [&] {
            work(*state);
            *next = state->solver->next();
          });
        },
        [next](Napi::Env inner) -> Napi::Value { return from_doubles(inner, *next); });
  }
  Solver& solver() const {
    if (!state_->solver) throw Error("FAILED", "begin() comes first");
    return *state_->solver;
  }

  // begin(b, omega, y, rank) → the vectors (n, width) that need a product; none once all is found.
  Napi::Value begin(const Napi::CallbackInfo& info) {
    return guarded(info.Env(), [&]() -> Napi::Value {
      const int64_t rank = to_int64(info[3], "rank"), size = checked_mul(n_, columns_);
      if (rank < 0 || rank > n_)
        throw Error("BAD_ARGUMENT", "Expected at most n vectors for the preconditioner");
      Doubles b = to_numbers(info[0], size, "targets"),
              omega = to_numbers(info[1], checked_mul(n_, rank), "omega"),
              y = to_numbers(info[2], checked_mul(n_, rank), "products");
      return advance(info.Env(), [=, n = n_, columns = columns_, ridge = ridge_,
                                  options = options_](State& state) {
        auto preconditioner =
            rank > 0 ? std::make_shared<const linear::Nystrom>(n, rank, *omega, std::move(*y))
                     : std::make_shared<const linear::Nystrom>(n);
        state.solver = std::make_unique<Solver>(n, ridge, *b, columns, preconditioner, options);
      });
    });
  }
  // start(x, image) → the same, from x with its product, both (n, columns)
  Napi::Value start(const Napi::CallbackInfo& info) {
    return guarded(info.Env(), [&]() -> Napi::Value {
      solver();
      const int64_t size = checked_mul(n_, columns_);
      Doubles x = to_numbers(info[0], size, "start"), image = to_numbers(info[1], size, "products");
      return advance(info.Env(), [=](State& state) { state.solver->start(*x, *image); });
    });
  }
  // take(products) → the next vectors
  Napi::Value take(const Napi::CallbackInfo& info) {
    return guarded(info.Env(), [&]() -> Napi::Value {
      Doubles image = to_numbers(info[0], checked_mul(n_, solver().width()), "products");
      return advance(info.Env(), [=](State& state) { state.solver->take(*image); });
    });
  }
  // solution() → {value, image, status, advice, residual, iterations, products}
  Napi::Value solution(const Napi::CallbackInfo& info) {
    const Napi::Env env = info.Env();
    return guarded(env, [&]() -> Napi::Value {
      const auto found = solver().solution();
      Napi::Object result = Napi::Object::New(env);
      result.Set("value", from_doubles(env, found.value));
      result.Set("image", from_doubles(env, solver().image()));
      result.Set("status", linear::name_of(found.status));
      result.Set("advice", linear::advice(found.status));
      result.Set("residual", found.statistics.residual);
      result.Set("iterations", static_cast<double>(found.statistics.iterations));
      result.Set("products", static_cast<double>(found.statistics.products));
      return result;
    });
  }
  Napi::Value residual(const Napi::CallbackInfo& info) {
    return Napi::Number::New(info.Env(), solver().residual());
  }
  Napi::Value iterations(const Napi::CallbackInfo& info) {
    return Napi::Number::New(info.Env(), static_cast<double>(solver().iterations()));
  }

  std::shared_ptr<State> state_;
  int64_t n_, columns_;
  double ridge_;
  linear::IterativeOptions options_;
  int threads_ = 0;
};

}  // namespace

void export_linear_iterative(Napi::Env env, Napi::Object exports) {
  exports.Set("ConjugateGradients", ConjugateGradients::define(env));
}

}  // namespace at
