#include "binding/machine.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <functional>
#include <vector>

#include "binding/convert.h"
#include "core/blas.h"
#include "core/buffer.h"
#include "core/parallel.h"
#include "rules/rule.h"

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

Napi::Value machine(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return guarded(env, [&]() -> Napi::Value {
    const int64_t n = to_int64(info[0], "n");
    const int threads = static_cast<int>(to_int64(info[1], "threads"));
    if (n < 1 || n > 16384) throw Error("BAD_ARGUMENT", "Expected a size from 1 to 16384");
    Pool pool;
    auto a = pool.floats(n * n), b = pool.floats(n * n), c = pool.floats(n * n);
    std::fill(a.get(), a.get() + n * n, 0.5f);
    std::fill(b.get(), b.get() + n * n, 0.25f);
    const double gemm = with_threads(threads, [&] {
      return best_seconds([&] {
        blas::parallel_gemm(false, true, n, n, n, 1.0f, a.get(), n, b.get(), n, 0.0f, c.get(), n);
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
    Napi::Object result = Napi::Object::New(env);
    result.Set("gemm", 2e-9 * static_cast<double>(n * n * n) / gemm);
    result.Set("copy", 1e-9 * static_cast<double>(floats) * sizeof(float) / copy);
    return result;
  });
}

}  // namespace

void export_machine(Napi::Env env, Napi::Object exports) {
  exports.Set("blas", Napi::String::New(env, blas::describe()));
  const std::vector<std::string> ops = registered_ops();
  Napi::Array names = Napi::Array::New(env, ops.size());
  for (uint32_t i = 0; i < ops.size(); ++i) names.Set(i, ops[i]);
  exports.Set("operators", names);
  exports.Set("machine", Napi::Function::New(env, machine));
}

}  // namespace at
