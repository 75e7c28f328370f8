// Factors of kernel + ridge, and the spectra that they may share.
#include <functional>

#include "binding/convert.h"
#include "binding/fit.h"
#include "binding/linear.h"
#include "binding/promise.h"
#include "core/parallel.h"
#include "core/shape.h"
#include "device/open.h"
#include "linear/cholesky.h"
#include "linear/device_cholesky.h"
#include "linear/spectrum.h"

namespace at {

namespace {

using Doubles = std::shared_ptr<std::vector<double>>;

// (n, columns)
Doubles to_rows(const Napi::Value& value, int64_t n, int64_t columns, const char* what) {
  auto x = std::make_shared<std::vector<double>>(to_doubles(value, what));
  if (static_cast<int64_t>(x->size()) != checked_mul(n, columns))
    throw Error("BAD_ARGUMENT", "Expected " + std::to_string(columns) + " numbers a row for " +
                                    what + " but received " + std::to_string(x->size()) +
                                    " in all");
  return x;
}

int64_t to_group(const Napi::Value& value, int64_t n) {
  const int64_t size = to_int64(value, "size");
  if (size < 1 || n % size != 0)
    throw Error("BAD_ARGUMENT", "Expected groups that divide the rows but received " +
                                    std::to_string(size) + " rows of " + std::to_string(n));
  return size;
}

// A class whose instances JavaScript does not make itself.
template <class Object, class Made>
class Maker {
 public:
  explicit Maker(Napi::Env env) : constructor_(Napi::Persistent(Object::define(env))) {
    constructor_.SuppressDestruct();  // the environment may be gone before
  }
  Napi::Value make(Napi::Env env, Made& made) const {
    return constructor_.New({Napi::External<Made>::New(env, &made)});
  }

 private:
  Napi::FunctionReference constructor_;
};

template <class Made>
Made made_of(const Napi::CallbackInfo& info, const char* instead) {
  if (!info[0].IsExternal()) throw Napi::TypeError::New(info.Env(), std::string("Use ") + instead);
  return *info[0].As<Napi::External<Made>>().Data();
}

// Tells V8 of memory that an object of JavaScript holds elsewhere, the host's or a device's: it
// looks for objects that nobody needs sooner.
class HeldBytes {
 public:
  void tell(Napi::Env env, int64_t bytes) {
    if (bytes != told_) Napi::MemoryManagement::AdjustExternalMemory(env, bytes - told_);
    told_ = bytes;
  }

 private:
  int64_t told_ = 0;
};

int64_t matrix_bytes(int64_t n) { return n * n * static_cast<int64_t>(sizeof(double)); }

// factorKernel(k, n, ridge, threads, control?, device?, memory?) → Promise<LinearFactor>;
// spectrum.factor(ridge)
class LinearFactor final : public Napi::ObjectWrap<LinearFactor> {
 public:
  struct Made {
    std::shared_ptr<const linear::Factor> factor;
    int threads = 0;
    int64_t bytes = 0;  // of its own
  };
  using Factors = Maker<LinearFactor, Made>;

  static Napi::Function define(Napi::Env env) {
    return DefineClass(env, "LinearFactor",
                       {InstanceMethod<&LinearFactor::solve>("solve"),
                        InstanceMethod<&LinearFactor::inverse_blocks>("inverseBlocks"),
                        InstanceMethod<&LinearFactor::leave_out>("leaveOut"),
                        InstanceMethod<&LinearFactor::sample>("sample"),
                        InstanceMethod<&LinearFactor::free>("free"),
                        InstanceAccessor<&LinearFactor::status>("status"),
                        InstanceAccessor<&LinearFactor::advice>("advice"),
                        InstanceAccessor<&LinearFactor::condition>("condition"),
                        InstanceAccessor<&LinearFactor::rank>("rank"),
                        InstanceAccessor<&LinearFactor::log_determinant>("logDeterminant")});
  }
  explicit LinearFactor(const Napi::CallbackInfo& info)
      : Napi::ObjectWrap<LinearFactor>(info), made_(made_of<Made>(info, "factorKernel()")) {
    held_.tell(info.Env(), made_.bytes);
  }
  using Napi::ObjectWrap<LinearFactor>::Finalize;
  void Finalize(Napi::Env env) override { held_.tell(env, 0); }

 private:
  // Runs work(factor) → numbers off the JS thread, within the thread budget.
  template <class Work>
  Napi::Value start(Napi::Env env, Work work, std::vector<Napi::ObjectReference> pins = {}) {
    check();
    auto out = std::make_shared<std::vector<double>>();
    return run_async(
        env, [=, made = made_] { with_threads(made.threads, [&] { *out = work(*made.factor); }); },
        [out](Napi::Env inner) -> Napi::Value { return from_doubles(inner, *out); },
        std::move(pins));
  }
  const linear::Factor& factor() const {
    if (!made_.factor) throw Error("DISPOSED", "The factor was freed");
    return *made_.factor;
  }
  void check() const {
    if (factor().status() == linear::Status::not_positive)
      throw Error("NUMERICAL",
                  "The kernel plus the ridge is not positive definite in double precision");
  }
  int64_t n() const { return factor().size(); }

  // free(): calls that are under way keep it until they are done.
  void free(const Napi::CallbackInfo& info) {
    made_.factor.reset();
    held_.tell(info.Env(), 0);
  }

  // solve(b, columns) → (n, columns)
  Napi::Value solve(const Napi::CallbackInfo& info) {
    return guarded(info.Env(), [&]() -> Napi::Value {
      const int64_t columns = to_int64(info[1], "columns");
      Doubles b = to_rows(info[0], n(), columns, "targets");
      return start(info.Env(), [=](const linear::Factor& f) { return f.solve(*b, columns).value; });
    });
  }
  // inverseBlocks(size, control?) → (n / size, size, size)
  Napi::Value inverse_blocks(const Napi::CallbackInfo& info) {
    return guarded(info.Env(), [&]() -> Napi::Value {
      const int64_t size = to_group(info[0], n());
      std::vector<Napi::ObjectReference> pins;
      const Control control = to_control(info[1], pins);
      return start(
          info.Env(),
          [=](const linear::Factor& f) { return f.inverse_blocks(size, control).value; },
          std::move(pins));
    });
  }
  // leaveOut(y, columns, size, control?) → (n, columns)
  Napi::Value leave_out(const Napi::CallbackInfo& info) {
    return guarded(info.Env(), [&]() -> Napi::Value {
      const int64_t columns = to_int64(info[1], "columns"), size = to_group(info[2], n());
      Doubles y = to_rows(info[0], n(), columns, "targets");
      std::vector<Napi::ObjectReference> pins;
      const Control control = to_control(info[3], pins);
      return start(
          info.Env(),
          [=](const linear::Factor& f) {
            std::vector<double> alpha = f.solve(*y, columns, control).value;
            linear::leave_out(f, columns, size, alpha, control);
            return alpha;
          },
          std::move(pins));
    });
  }
  // sample(z, columns, precision, control?) → (n, columns)
  Napi::Value sample(const Napi::CallbackInfo& info) {
    return guarded(info.Env(), [&]() -> Napi::Value {
      const int64_t columns = to_int64(info[1], "columns");
      Doubles z = to_rows(info[0], n(), columns, "normals");
      const auto of =
          info[2].ToBoolean() ? linear::Gaussian::precision : linear::Gaussian::covariance;
      std::vector<Napi::ObjectReference> pins;
      const Control control = to_control(info[3], pins);
      return start(
          info.Env(),
          [=](const linear::Factor& f) { return f.sample(of, *z, columns, control).value; },
          std::move(pins));
    });
  }
  Napi::Value status(const Napi::CallbackInfo& info) {
    return guarded(info.Env(), [&]() -> Napi::Value {
      return Napi::String::New(info.Env(), linear::name_of(factor().status()));
    });
  }
  Napi::Value advice(const Napi::CallbackInfo& info) {
    return guarded(info.Env(), [&]() -> Napi::Value {
      return Napi::String::New(info.Env(), linear::advice(factor().status()));
    });
  }
  Napi::Value condition(const Napi::CallbackInfo& info) {
    return guarded(info.Env(), [&]() -> Napi::Value {
      return Napi::Number::New(info.Env(), factor().statistics().condition);
    });
  }
  Napi::Value rank(const Napi::CallbackInfo& info) {
    return guarded(info.Env(), [&]() -> Napi::Value {
      return Napi::Number::New(info.Env(), static_cast<double>(factor().statistics().rank));
    });
  }
  Napi::Value log_determinant(const Napi::CallbackInfo& info) {
    return guarded(info.Env(), [&]() -> Napi::Value {
      check();
      return Napi::Number::New(info.Env(), made_.factor->log_determinant().value.value);
    });
  }

  Made made_;
  HeldBytes held_;
};

// createSpectrum(k, n, vectors, device?, memory?) → Promise<LinearSpectrum>
class LinearSpectrum final : public Napi::ObjectWrap<LinearSpectrum> {
 public:
  struct Made {
    std::shared_ptr<const linear::Spectrum> spectrum;
    std::shared_ptr<const LinearFactor::Factors> factors;
  };

  static Napi::Function define(Napi::Env env) {
    return DefineClass(env, "LinearSpectrum",
                       {InstanceMethod<&LinearSpectrum::factor>("factor"),
                        InstanceMethod<&LinearSpectrum::filter>("filter"),
                        InstanceMethod<&LinearSpectrum::coordinates>("coordinates"),
                        InstanceMethod<&LinearSpectrum::combined>("combined"),
                        InstanceMethod<&LinearSpectrum::functions>("functions"),
                        InstanceMethod<&LinearSpectrum::errors>("errors"),
                        InstanceMethod<&LinearSpectrum::vectors>("vectors"),
                        InstanceMethod<&LinearSpectrum::free>("free"),
                        InstanceAccessor<&LinearSpectrum::rank>("rank"),
                        InstanceAccessor<&LinearSpectrum::effective_rank>("effectiveRank"),
                        InstanceAccessor<&LinearSpectrum::values>("values")});
  }
  explicit LinearSpectrum(const Napi::CallbackInfo& info)
      : Napi::ObjectWrap<LinearSpectrum>(info), made_(made_of<Made>(info, "createSpectrum()")) {
    const auto vectors = static_cast<int64_t>(made_.spectrum->vectors().size());
    held_.tell(info.Env(), vectors * static_cast<int64_t>(sizeof(double)));
  }
  using Napi::ObjectWrap<LinearSpectrum>::Finalize;
  void Finalize(Napi::Env env) override { held_.tell(env, 0); }

 private:
  const linear::Spectrum& spectrum() const {
    if (!made_.spectrum) throw Error("DISPOSED", "The spectrum was freed");
    return *made_.spectrum;
  }
  int64_t n() const { return spectrum().size(); }
  void check_vectors() const {
    if (static_cast<int64_t>(spectrum().vectors().size()) != checked_mul(n(), n()))
      throw Error("BAD_ARGUMENT", "Expected a spectrum with its vectors");
  }

  // free(): calls that are under way, and factors, keep it.
  void free(const Napi::CallbackInfo& info) {
    made_.spectrum.reset();
    held_.tell(info.Env(), 0);
  }

  // factor(ridge) → LinearFactor
  Napi::Value factor(const Napi::CallbackInfo& info) {
    return guarded(info.Env(), [&]() -> Napi::Value {
      check_vectors();
      LinearFactor::Made made{std::make_shared<const linear::EigenFactor>(
                                  made_.spectrum, info[0].ToNumber().DoubleValue()),
                              0, 0};
      return made_.factors->make(info.Env(), made);
    });
  }
  // Numbers that work(spectrum) gives off the JS thread.
  template <class Work>
  Napi::Value start(Napi::Env env, Work work) {
    check_vectors();
    auto out = std::make_shared<std::vector<double>>();
    return run_async(
        env, [=, spectrum = made_.spectrum] { *out = work(*spectrum); },
        [out](Napi::Env inner) -> Napi::Value { return from_doubles(inner, *out); });
  }
  // filter(weights, x, columns) → V diag(weights) Vᵀ x
  Napi::Value filter(const Napi::CallbackInfo& info) {
    return guarded(info.Env(), [&]() -> Napi::Value {
      const int64_t columns = to_int64(info[2], "columns");
      Doubles weights = to_rows(info[0], n(), 1, "weights"),
              x = to_rows(info[1], n(), columns, "targets");
      return start(info.Env(),
                   [=](const linear::Spectrum& s) { return s.filter(*weights, *x, columns); });
    });
  }
  // coordinates(x, columns) → Vᵀ x
  Napi::Value coordinates(const Napi::CallbackInfo& info) {
    return guarded(info.Env(), [&]() -> Napi::Value {
      const int64_t columns = to_int64(info[1], "columns");
      Doubles x = to_rows(info[0], n(), columns, "targets");
      return start(info.Env(),
                   [=](const linear::Spectrum& s) { return s.coordinates(*x, columns); });
    });
  }
  // combined(x, columns) → V x
  Napi::Value combined(const Napi::CallbackInfo& info) {
    return guarded(info.Env(), [&]() -> Napi::Value {
      const int64_t columns = to_int64(info[1], "columns");
      Doubles x = to_rows(info[0], n(), columns, "coordinates");
      return start(info.Env(), [=](const linear::Spectrum& s) { return s.combined(*x, columns); });
    });
  }
  // functions(k, rows, count) → (rows, count)
  Napi::Value functions(const Napi::CallbackInfo& info) {
    return guarded(info.Env(), [&]() -> Napi::Value {
      const int64_t rows = to_int64(info[1], "rows"), count = to_int64(info[2], "count");
      if (count < 1 || count > spectrum().rank())
        throw Error("BAD_ARGUMENT", "Expected at most " + std::to_string(spectrum().rank()) +
                                        " functions but received " + std::to_string(count));
      auto k = std::make_shared<std::vector<double>>(
          to_numbers(info[0], checked_mul(rows, n()), "kernel"));
      return start(info.Env(),
                   [=](const linear::Spectrum& s) { return s.functions(*k, rows, count); });
    });
  }
  // errors(ridges, y, columns, group, control?) → {gcv, loo}
  Napi::Value errors(const Napi::CallbackInfo& info) {
    return guarded(info.Env(), [&]() -> Napi::Value {
      check_vectors();
      const int64_t columns = to_int64(info[2], "columns"), group = to_group(info[3], n());
      std::vector<Napi::ObjectReference> pins;
      const Control control = to_control(info[4], pins);
      auto ridges = std::make_shared<std::vector<double>>(to_doubles(info[0], "ridges"));
      Doubles y = to_rows(info[1], n(), columns, "targets");
      auto out = std::make_shared<linear::RidgeErrors>();
      return run_async(
          info.Env(),
          [=, spectrum = made_.spectrum] {
            *out = linear::ridge_errors(spectrum, *ridges, *y, columns, group, control);
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
  Napi::Value number(const Napi::CallbackInfo& info, const std::function<double()>& of) {
    return guarded(info.Env(),
                   [&]() -> Napi::Value { return Napi::Number::New(info.Env(), of()); });
  }
  Napi::Value rank(const Napi::CallbackInfo& info) {
    return number(info, [&] { return static_cast<double>(spectrum().rank()); });
  }
  Napi::Value effective_rank(const Napi::CallbackInfo& info) {
    return number(info, [&] { return spectrum().effective_rank(); });
  }
  Napi::Value values(const Napi::CallbackInfo& info) {
    return guarded(info.Env(), [&] { return from_doubles(info.Env(), spectrum().values()); });
  }
  Napi::Value vectors(const Napi::CallbackInfo& info) {
    return guarded(info.Env(), [&] { return from_doubles(info.Env(), spectrum().vectors()); });
  }

  Made made_;
  HeldBytes held_;
};

// Opens the device that two arguments tell, its name and bytes of its memory; null: the processor.
using Opening = std::function<std::shared_ptr<device::Stream>()>;
Opening to_device(const Napi::Value& name, const Napi::Value& memory) {
  if (name.IsUndefined()) return [] { return nullptr; };
  return [device = to_text(name, "device"),
          bytes = static_cast<size_t>(memory.ToNumber().DoubleValue())] {
    return device::open_stream(device, bytes);
  };
}

struct Makers {
  std::shared_ptr<const LinearFactor::Factors> factors;
  Maker<LinearSpectrum, LinearSpectrum::Made> spectra;
};

Napi::Value factor_kernel(const Napi::CallbackInfo& info, const Makers& makers) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const int64_t n = to_int64(info[1], "n");
    if (n < 1) throw Error("BAD_ARGUMENT", "Expected a kernel of at least one row");
    auto k = std::make_shared<std::vector<double>>(to_matrix(info[0], n));
    const double ridge = info[2].ToNumber().DoubleValue();
    auto made = std::make_shared<LinearFactor::Made>();
    made->bytes = matrix_bytes(n);
    made->threads = static_cast<int>(to_int64(info[3], "threads"));
    std::vector<Napi::ObjectReference> pins;
    const Control control = to_control(info[4], pins);
    const Opening open = to_device(info[5], info[6]);
    return run_async(
        info.Env(),
        [=] {
          with_threads(made->threads, [&] {
            if (auto stream = open())
              made->factor =
                  std::make_shared<const linear::DeviceCholesky>(std::move(stream), n, *k, ridge);
            else
              made->factor =
                  std::make_shared<const linear::CholeskyFactor>(n, std::move(*k), ridge, control);
          });
        },
        [made, factors = makers.factors](Napi::Env env) { return factors->make(env, *made); },
        std::move(pins));
  });
}

// Eigenvalues of any symmetric matrix; with `vectors` of one that is checked to be a kernel.
Napi::Value create_spectrum(const Napi::CallbackInfo& info,
                            const std::shared_ptr<const Makers>& makers) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const int64_t n = to_int64(info[1], "n");
    if (n < 1) throw Error("BAD_ARGUMENT", "Expected a kernel of at least one row");
    auto k = std::make_shared<std::vector<double>>(to_matrix(info[0], n));
    const bool vectors = info[2].ToBoolean();
    auto made = std::make_shared<LinearSpectrum::Made>();
    made->factors = makers->factors;
    const Opening open = to_device(info[3], info[4]);
    return run_async(
        info.Env(),
        [=] {
          if (vectors) linear::check_symmetric(n, *k);
          const auto stream = open();
          made->spectrum =
              std::make_shared<const linear::Spectrum>(n, std::move(*k), vectors, stream.get());
        },
        [made, makers](Napi::Env env) { return makers->spectra.make(env, *made); });
  });
}

}  // namespace

void export_linear_factor(Napi::Env env, Napi::Object exports) {
  auto makers =
      std::make_shared<const Makers>(Makers{std::make_shared<const LinearFactor::Factors>(env),
                                            Maker<LinearSpectrum, LinearSpectrum::Made>(env)});
  exports.Set("factorKernel", Napi::Function::New(env, [makers](const Napi::CallbackInfo& info) {
                return factor_kernel(info, *makers);
              }));
  exports.Set("createSpectrum", Napi::Function::New(env, [makers](const Napi::CallbackInfo& info) {
                return create_spectrum(info, makers);
              }));
}

}  // namespace at
