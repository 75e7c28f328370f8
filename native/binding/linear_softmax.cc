#include "binding/convert.h"
#include "binding/fit.h"
#include "binding/linear.h"
#include "binding/promise.h"
#include "core/parallel.h"
#include "core/shape.h"
#include "device/open.h"
#include "linear/softmax.h"

namespace at {

namespace {

// solveSoftmax(kernel, offset, target, {outputs, ridge, iterations, threads, device?, memory?},
// control?)
// → {alpha, fit, loss, objective, decrease, iterations, converged}
Napi::Value solve_softmax(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const Napi::Object given = info[3].ToObject();
    auto problem = std::make_shared<linear::SoftmaxProblem>();
    problem->outputs = to_int64(given.Get("outputs"), "outputs");
    problem->offset = to_doubles(info[1], "offset");
    const auto rows = static_cast<int64_t>(problem->offset.size());
    problem->samples = rows / problem->outputs;
    problem->target = to_numbers(info[2], rows, "target");
    problem->kernel = to_matrix(info[0], rows);
    problem->ridge = given.Get("ridge").ToNumber().DoubleValue();
    problem->iterations = to_int64(given.Get("iterations"), "iterations");
    const int threads = static_cast<int>(to_int64(given.Get("threads"), "threads"));
    const Napi::Value device = given.Get("device");
    const std::string name = device.IsUndefined() ? "cpu" : to_text(device, "device");
    const auto memory = static_cast<size_t>(to_int64(given.Get("memory"), "memory"));
    std::vector<Napi::ObjectReference> pins;
    const Control control = to_control(info[4], pins);
    auto out = std::make_shared<linear::SoftmaxFit>();
    return run_async(
        info.Env(),
        [=] {
          with_threads(threads, [&] {
            *out = linear::softmax_fit(*problem, control, device::open_stream(name, memory));
          });
        },
        [out](Napi::Env env) -> Napi::Value {
          Napi::Object result = Napi::Object::New(env);
          result.Set("alpha", from_doubles(env, out->alpha));
          result.Set("fit", from_doubles(env, out->fit));
          result.Set("loss", out->loss);
          result.Set("objective", out->objective);
          result.Set("decrease", out->decrease);
          result.Set("iterations", static_cast<double>(out->iterations));
          result.Set("converged", out->converged);
          return result;
        },
        std::move(pins));
  });
}

}  // namespace

void export_linear_softmax(Napi::Env env, Napi::Object exports) {
  exports.Set("solveSoftmax", Napi::Function::New(env, solve_softmax));
}

}  // namespace at
