#include "binding/convert.h"
#include "binding/promise.h"
#include "binding/solve.h"
#include "core/parallel.h"
#include "core/shape.h"
#include "solve/factor.h"

namespace at {

namespace {

using Doubles = std::shared_ptr<std::vector<double>>;

// factorKernel(k, n, ridge, threads, control?) → Promise<SolveFactor>
class SolveFactor final : public Napi::ObjectWrap<SolveFactor> {
 public:
  struct Made {
    std::shared_ptr<const solve::KernelFactor> factor;
    int threads = 0;
  };

  static Napi::Function define(Napi::Env env) {
    return DefineClass(env, "SolveFactor",
                       {InstanceMethod<&SolveFactor::solve>("solve"),
                        InstanceMethod<&SolveFactor::inverse_blocks>("inverseBlocks"),
                        InstanceMethod<&SolveFactor::leave_out>("leaveOut"),
                        InstanceAccessor<&SolveFactor::condition>("condition"),
                        InstanceAccessor<&SolveFactor::log_determinant>("logDeterminant")});
  }
  explicit SolveFactor(const Napi::CallbackInfo& info) : Napi::ObjectWrap<SolveFactor>(info) {
    if (!info[0].IsExternal()) throw Napi::TypeError::New(info.Env(), "Use factorKernel()");
    made_ = *info[0].As<Napi::External<Made>>().Data();
  }

 private:
  // Runs work(factor) → numbers off the JS thread, within the thread budget.
  template <class Work>
  Napi::Value start(Napi::Env env, Work work, std::vector<Napi::ObjectReference> pins = {}) {
    auto out = std::make_shared<std::vector<double>>();
    return run_async(
        env, [=, made = made_] { with_threads(made.threads, [&] { *out = work(*made.factor); }); },
        [out](Napi::Env inner) -> Napi::Value { return from_doubles(inner, *out); },
        std::move(pins));
  }
  // (n, columns)
  Doubles rows(const Napi::Value& value, int64_t columns) const {
    auto x = std::make_shared<std::vector<double>>(to_doubles(value, "targets"));
    if (static_cast<int64_t>(x->size()) != checked_mul(made_.factor->n(), columns))
      throw Error("BAD_ARGUMENT", "Expected " + std::to_string(columns) +
                                      " numbers a row but received " + std::to_string(x->size()) +
                                      " in all");
    return x;
  }
  int64_t group(const Napi::Value& value) const {
    const int64_t size = to_int64(value, "size");
    if (size < 1 || made_.factor->n() % size != 0)
      throw Error("BAD_ARGUMENT", "Expected groups that divide the rows but received " +
                                      std::to_string(size) + " rows of " +
                                      std::to_string(made_.factor->n()));
    return size;
  }

  // solve(b, columns) → (n, columns)
  Napi::Value solve(const Napi::CallbackInfo& info) {
    return guarded(info.Env(), [&]() -> Napi::Value {
      const int64_t columns = to_int64(info[1], "columns");
      Doubles b = rows(info[0], columns);
      return start(info.Env(), [=](const solve::KernelFactor& f) { return f.solve(*b, columns); });
    });
  }
  // inverseBlocks(size, control?) → (n / size, size, size)
  Napi::Value inverse_blocks(const Napi::CallbackInfo& info) {
    return guarded(info.Env(), [&]() -> Napi::Value {
      const int64_t size = group(info[0]);
      std::vector<Napi::ObjectReference> pins;
      const Control control = to_control(info[1], pins);
      return start(
          info.Env(), [=](const solve::KernelFactor& f) { return f.inverse_blocks(size, control); },
          std::move(pins));
    });
  }
  // leaveOut(y, columns, size, control?) → (n, columns)
  Napi::Value leave_out(const Napi::CallbackInfo& info) {
    return guarded(info.Env(), [&]() -> Napi::Value {
      const int64_t columns = to_int64(info[1], "columns"), size = group(info[2]);
      Doubles y = rows(info[0], columns);
      std::vector<Napi::ObjectReference> pins;
      const Control control = to_control(info[3], pins);
      return start(
          info.Env(),
          [=](const solve::KernelFactor& f) {
            std::vector<double> blocks = f.inverse_blocks(size, control);
            std::vector<double> alpha = f.solve(*y, columns);
            solve::leave_out(f.n(), size, blocks.data(), columns, alpha.data());
            return alpha;
          },
          std::move(pins));
    });
  }
  Napi::Value condition(const Napi::CallbackInfo& info) {
    return Napi::Number::New(info.Env(), made_.factor->condition());
  }
  Napi::Value log_determinant(const Napi::CallbackInfo& info) {
    return Napi::Number::New(info.Env(), made_.factor->log_determinant());
  }

  Made made_;
};

}  // namespace

void export_solve_factor(Napi::Env env, Napi::Object exports) {
  auto constructor =
      std::make_shared<Napi::FunctionReference>(Napi::Persistent(SolveFactor::define(env)));
  constructor->SuppressDestruct();  // the environment may be gone before this closure
  exports.Set(
      "factorKernel", Napi::Function::New(env, [constructor](const Napi::CallbackInfo& info) {
        return guarded(info.Env(), [&]() -> Napi::Value {
          const int64_t n = to_int64(info[1], "n");
          if (n < 1) throw Error("BAD_ARGUMENT", "Expected a kernel of at least one row");
          auto k = std::make_shared<std::vector<double>>(to_matrix(info[0], n));
          const double ridge = info[2].ToNumber().DoubleValue();
          auto made = std::make_shared<SolveFactor::Made>();
          made->threads = static_cast<int>(to_int64(info[3], "threads"));
          std::vector<Napi::ObjectReference> pins;
          const Control control = to_control(info[4], pins);
          return run_async(
              info.Env(),
              [=] {
                with_threads(made->threads, [&] {
                  made->factor =
                      std::make_shared<const solve::KernelFactor>(n, std::move(*k), ridge, control);
                });
              },
              [made, constructor](Napi::Env inner) -> Napi::Value {
                if (made->factor->status() != 0) return inner.Null();
                return constructor->New(
                    {Napi::External<SolveFactor::Made>::New(inner, made.get())});
              },
              std::move(pins));
        });
      }));
}

}  // namespace at
