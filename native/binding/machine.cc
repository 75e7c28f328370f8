#include "binding/machine.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstring>
#include <functional>
#include <memory>
#include <vector>

#include "binding/convert.h"
#include "binding/promise.h"
#include "core/blas.h"
#include "core/buffer.h"
#include "core/lapack.h"
#include "core/parallel.h"
#include "core/reserve.h"
#include "device/open.h"
#include "rules/device/rule.h"

namespace at {

namespace {

double best_seconds(const std::function<void()>& work) {
  double best = 1e300;
  for (int repeat = 0; repeat < 7; ++repeat) {
    const auto start = std::chrono::steady_clock::now();
    work();
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
    best = std::min(best, took.count());
  }
  return best;
}

// Products of float32 in GFLOP/s, and copies of memory in GB/s.
struct MachineRates {
  double gemm = 0, copy = 0;
};

struct MachineQuestion {
  int64_t n;
  int threads;
};

MachineQuestion machine_question(const Napi::CallbackInfo& info) {
  const int64_t n = to_int64(info[0], "n");
  if (n < 1 || n > 16384) throw Error("BAD_ARGUMENT", "Expected a size from 1 to 16384");
  return {n, static_cast<int>(to_int64(info[1], "threads"))};
}

MachineRates measured(const MachineQuestion& question) {
  const auto [n, threads] = question;
  Pool pool;
  auto a = pool.floats(n * n), b = pool.floats(n * n), c = pool.floats(n * n);
  std::fill(a.get(), a.get() + n * n, 0.5f);
  std::fill(b.get(), b.get() + n * n, 0.25f);
  const double gemm = with_threads(threads, [&, size = n] {
    return best_seconds([&] {
      blas::parallel_gemm(false, true, size, size, size, 1.0f, a.get(), size, b.get(), size, 0.0f,
                          c.get(), size);
    });
  });
  // Larger than the caches.
  const int64_t floats = int64_t{1} << 25;
  auto from = pool.floats(floats), to = pool.floats(floats);
  std::fill(from.get(), from.get() + floats, 1.0f);
  const double copy = with_threads(threads, [&] {
    return best_seconds([&] {
      parallel_for(floats, 1 << 18, [&](int64_t first, int64_t last) {
        std::memcpy(to.get() + first, from.get() + first,
                    static_cast<size_t>(last - first) * sizeof(float));
      });
    });
  });
  return {2e-9 * static_cast<double>(n * n * n) / gemm,
          1e-9 * static_cast<double>(floats) * sizeof(float) / copy};
}

Napi::Value from_rates(Napi::Env env, const MachineRates& rates) {
  Napi::Object result = Napi::Object::New(env);
  result.Set("gemm", rates.gemm);
  result.Set("copy", rates.copy);
  return result;
}

// machine(n, threads) → {gemm, copy}
Napi::Value machine(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    return from_rates(info.Env(), measured(machine_question(info)));
  });
}

// The same off the JS thread.
Napi::Value machine_later(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const MachineQuestion question = machine_question(info);
    auto rates = std::make_shared<MachineRates>();
    return run_async(
        info.Env(), [=] { *rates = measured(question); },
        [rates](Napi::Env env) { return from_rates(env, *rates); });
  });
}

// A symmetric positive definite matrix that every run factors again.
double seconds_of(int64_t n, const std::function<void(double*)>& factor) {
  std::vector<double> a(n * n), copy;
  for (int64_t i = 0; i < n; ++i)
    for (int64_t j = 0; j < n; ++j) a[i * n + j] = std::exp(-0.1 * std::abs(double(i - j)));
  double best = 1e300;
  for (int repeat = 0; repeat < 3; ++repeat) {
    copy = a;
    const auto start = std::chrono::steady_clock::now();
    factor(copy.data());
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
    best = std::min(best, took.count());
  }
  return best;
}

double svd_seconds(int64_t m, int64_t k) {
  std::vector<double> a(m * k), copy, u(m * std::min(m, k)), s(std::min(m, k)),
      vt(std::min(m, k) * k);
  for (size_t i = 0; i < a.size(); ++i) a[i] = std::sin(static_cast<double>(i * i % 10007));
  return best_seconds([&] {
    copy = a;
    lapack::svd(m, k, copy.data(), u.data(), s.data(), vt.data());
  });
}

// factorisations(n, [[m, k], …]) → one thread's rates: what a floor is counted at
Napi::Value factorisations(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return guarded(env, [&]() -> Napi::Value {
    const int64_t n = to_int64(info[0], "n"), size = 1024;
    if (n < 1 || n > 16384) throw Error("BAD_ARGUMENT", "Expected a size from 1 to 16384");
    std::vector<double> a(size * size, 0.5), c(size * size);
    const double gemm = best_seconds([&] {
      blas::gemm(false, true, size, size, size, 1.0, a.data(), size, a.data(), size, 0.0, c.data(),
                 size);
    });
    std::vector<double> values(n);
    Napi::Object result = Napi::Object::New(env);
    result.Set("gemm", 2e-9 * static_cast<double>(size * size * size) / gemm);
    result.Set("potrf", seconds_of(n, [&](double* x) { lapack::cholesky(n, x, n); }));
    result.Set("syevd", n > 1500 ? 0 : seconds_of(n, [&](double* x) {
                 lapack::eigen(true, n, x, values.data());
               }));
    const Napi::Array shapes = info[1].As<Napi::Array>();
    Napi::Array seconds = Napi::Array::New(env, shapes.Length());
    for (uint32_t i = 0; i < shapes.Length(); ++i) {
      const std::vector<int64_t> shape = to_int64s(shapes.Get(i), "shape");
      seconds.Set(i, svd_seconds(shape.at(0), shape.at(1)));
    }
    result.Set("gesdd", seconds);
    return result;
  });
}

void reserve_threads(const Napi::CallbackInfo& info) {
  guarded(info.Env(), [&] { reserve_for_threads(static_cast<int>(to_int64(info[0], "threads"))); });
}

// The cards as they are found: [{name, what, memory, whyNot, float32, float64, bandwidth}].
Napi::Value cards(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return guarded(env, [&]() -> Napi::Value {
    const std::vector<device::Facts> found = device::find_cards();
    Napi::Array result = Napi::Array::New(env, found.size());
    for (uint32_t k = 0; k < found.size(); ++k) {
      Napi::Object card = Napi::Object::New(env);
      card.Set("name", found[k].name);
      card.Set("what", found[k].what);
      card.Set("memory", Napi::Number::New(env, static_cast<double>(found[k].memory)));
      card.Set("whyNot", found[k].why_not);
      card.Set("float32", found[k].rates.float32);
      card.Set("float64", found[k].rates.float64);
      card.Set("bandwidth", found[k].rates.memory);
      result.Set(k, card);
    }
    return result;
  });
}

Napi::Value driver_in_words(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    return Napi::String::New(info.Env(), device::describe_driver());
  });
}

void check_device(const Napi::CallbackInfo& info) {
  guarded(info.Env(), [&] { device::check_device(to_text(info[0], "device")); });
}

// Ends the process without waiting for threads that may never end.
void exit_now(const Napi::CallbackInfo& info) {
  _exit(static_cast<int>(to_int64(info[0], "code")));
}

}  // namespace

void export_machine(Napi::Env env, Napi::Object exports) {
  exports.Set("blas", Napi::String::New(env, blas::describe()));
  exports.Set("exact", Napi::Boolean::New(env, blas::is_exact()));
  const auto names = [&](const std::vector<std::string>& ops) {
    Napi::Array result = Napi::Array::New(env, ops.size());
    for (uint32_t i = 0; i < ops.size(); ++i) result.Set(i, ops[i]);
    return result;
  };
  exports.Set("operators", names(registered_ops()));
  exports.Set("deviceOperators", names(device_ops()));
  exports.Set("machine", Napi::Function::New(env, machine));
  exports.Set("machineLater", Napi::Function::New(env, machine_later));
  exports.Set("reserveThreads", Napi::Function::New(env, reserve_threads));
  exports.Set("cards", Napi::Function::New(env, cards));
  exports.Set("driver", Napi::Function::New(env, driver_in_words));
  exports.Set("checkDevice", Napi::Function::New(env, check_device));
  exports.Set("exitNow", Napi::Function::New(env, exit_now));
  exports.Set("factorisations", Napi::Function::New(env, factorisations));
}

}  // namespace at
