#include <algorithm>
#include <utility>

#include "binding/convert.h"
#include "binding/fit.h"
#include "binding/linear.h"
#include "binding/promise.h"
#include "core/parallel.h"
#include "core/shape.h"
#include "linear/alignment.h"
#include "linear/kernel_measures.h"
#include "linear/spectrum.h"

namespace at {

namespace {

Napi::Object from_change(Napi::Env env, const linear::KernelChange& change) {
  Napi::Object result = Napi::Object::New(env);
  result.Set("alignment", change.alignment);
  result.Set("centred", change.centred);
  result.Set("distance", change.distance);
  result.Set("rotation", change.rotation);
  return result;
}

Napi::Object from_measures(Napi::Env env, const linear::KernelQuestion& question,
                           const linear::KernelMeasures& found) {
  Napi::Object result = Napi::Object::New(env);
  result.Set("trace", found.trace);
  result.Set("norm", found.norm);
  result.Set("participation", found.participation);
  result.Set("initial",
             question.initial ? Napi::Value(from_change(env, found.initial)) : env.Null());
  result.Set("previous",
             question.previous ? Napi::Value(from_change(env, found.previous)) : env.Null());
  Napi::Array targets = Napi::Array::New(env, found.targets.size());
  for (uint32_t t = 0; t < found.targets.size(); ++t) {
    const linear::TargetMeasures& measures = found.targets[t];
    Napi::Object target = Napi::Object::New(env);
    target.Set("alignment", measures.alignment);
    target.Set("centred", measures.centred);
    target.Set("energy", from_doubles(env, measures.energy));
    targets.Set(t, target);
  }
  result.Set("targets", targets);
  result.Set("wInitial", found.w_initial);
  result.Set("wTarget", found.w_target);
  result.Set("rest", found.rest);
  result.Set("initialSize", found.initial_size);
  result.Set("targetSize", found.target_size);
  result.Set("effectiveRank", found.effective_rank);
  result.Set("eigenvalues", from_doubles(env, found.eigenvalues));
  return result;
}

struct Request {
  std::vector<linear::KernelQuestion> questions;
  std::vector<linear::TargetFactor> targets;
  std::vector<int64_t> energies;
  std::vector<linear::KernelMeasures> answers;
};

// measureKernels([{kernel, initial, previous, spectrum}], n, [{y, columns}], energies,
//                {threads, atOnce, control, device?})
Napi::Value measure_kernels(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    auto request = std::make_shared<Request>();
    std::vector<Napi::ObjectReference> pins;
    const Napi::Array kernels = info[0].As<Napi::Array>();
    const int64_t n = to_int64(info[1], "n"), entries = checked_mul(n, n);
    const auto matrix = [&](const Napi::Value& value, const char* what) -> const float* {
      if (value.IsNull() || value.IsUndefined()) return nullptr;
      const float* data = float_data(value, entries, what);
      pins.push_back(Napi::Persistent(value.As<Napi::Object>()));
      return data;
    };
    for (uint32_t g = 0; g < kernels.Length(); ++g) {
      const Napi::Object kernel = kernels.Get(g).ToObject();
      linear::KernelQuestion question;
      question.n = n;
      question.kernel = matrix(required(kernel, "kernel"), "kernel");
      question.initial = matrix(kernel.Get("initial"), "initial");
      question.previous = matrix(kernel.Get("previous"), "previous");
      question.spectrum = kernel.Get("spectrum").ToBoolean();
      request->questions.push_back(question);
    }
    const Napi::Array targets = info[2].As<Napi::Array>();
    for (uint32_t t = 0; t < targets.Length(); ++t) {
      const Napi::Object target = targets.Get(t).ToObject();
      linear::TargetFactor factor{to_doubles(target.Get("y"), "y"),
                                  to_int64(target.Get("columns"), "columns")};
      if (static_cast<int64_t>(factor.y.size()) != checked_mul(n, factor.columns))
        throw Error("BAD_ARGUMENT", "Expected a target with a row for each row of the kernel");
      request->targets.push_back(std::move(factor));
    }
    request->energies = to_int64s(info[3], "energies");
    const Napi::Object options = info[4].ToObject();
    const int threads = static_cast<int>(to_int64(required(options, "threads"), "threads"));
    const int64_t at_once = std::max<int64_t>(1, property_or(options, "atOnce", 1));
    const Control control = to_control(options.Get("control"), pins);
    for (linear::KernelQuestion& question : request->questions)
      question.device = text_or(options, "device", question.device);
    return run_async(
        info.Env(),
        [=] {
          with_threads(threads, [&] {
            const auto count = static_cast<int64_t>(request->questions.size());
            request->answers.resize(request->questions.size());
            for (int64_t first = 0; first < count; first += at_once) {
              parallel_for(std::min(at_once, count - first), 1, [&](int64_t from, int64_t to) {
                for (int64_t g = first + from; g < first + to; ++g) {
                  request->answers[g] = linear::measure_kernel(
                      request->questions[g], request->targets, request->energies, control);
                }
              });
            }
          });
        },
        [request](Napi::Env env) -> Napi::Value {
          Napi::Array results = Napi::Array::New(env, request->answers.size());
          for (uint32_t g = 0; g < request->answers.size(); ++g)
            results.Set(g, from_measures(env, request->questions[g], request->answers[g]));
          return results;
        },
        std::move(pins));
  });
}

// addKernels(parts, out, threads): out = Σ parts, at once.
Napi::Value add_kernels(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const Napi::Array parts = info[0].As<Napi::Array>();
    const auto count = static_cast<int64_t>(info[1].As<Napi::TypedArray>().ElementLength());
    std::vector<const float*> from;
    for (uint32_t p = 0; p < parts.Length(); ++p)
      from.push_back(float_data(parts.Get(p), count, "parts"));
    float* out = float_data(info[1], count, "out");
    const int threads = static_cast<int>(to_int64(info[2], "threads"));
    std::vector<Napi::ObjectReference> pins;
    pins.push_back(Napi::Persistent(info[1].As<Napi::Object>()));
    pins.push_back(Napi::Persistent(info[0].As<Napi::Object>()));
    return run_async(
        info.Env(), [=] { with_threads(threads, [&] { linear::add_kernels(count, from, out); }); },
        [](Napi::Env env) -> Napi::Value { return env.Undefined(); }, std::move(pins));
  });
}

linear::MatrixView to_view(const Napi::Value& value, int64_t rows, int64_t columns,
                           std::vector<Napi::ObjectReference>& pins) {
  const int64_t count = checked_mul(rows, columns);
  pins.push_back(Napi::Persistent(value.As<Napi::Object>()));
  if (!is_float64(value)) return {rows, columns, float_data(value, count, "matrix"), nullptr};
  const auto array = value.As<Napi::Float64Array>();
  if (static_cast<int64_t>(array.ElementLength()) != count)
    throw Error("BAD_ARGUMENT", "Expected " + std::to_string(count) + " numbers but received " +
                                    std::to_string(array.ElementLength()));
  return {rows, columns, nullptr, array.Data()};
}

// alignment(a, b, rows, columns, {centred, threads, control}) → {cosine, squared}: the cosine, NaN
// where there is none, and ‖a‖² of a as it is.
Napi::Value alignment(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const int64_t rows = to_int64(info[2], "rows"), columns = to_int64(info[3], "columns");
    std::vector<Napi::ObjectReference> pins;
    const linear::MatrixView a = to_view(info[0], rows, columns, pins),
                             b = to_view(info[1], rows, columns, pins);
    const Napi::Object options = info[4].ToObject();
    const bool centred = options.Get("centred").ToBoolean();
    const int threads = static_cast<int>(to_int64(options.Get("threads"), "threads"));
    const Control control = to_control(options.Get("control"), pins);
    auto found = std::make_shared<std::pair<double, double>>();
    return run_async(
        info.Env(),
        [=] {
          with_threads(threads, [&] {
            const linear::Moments whole = linear::moments(a, b, false, control);
            found->second = whole.aa;
            found->first = centred ? linear::centred_cosine(linear::moments(a, b, true, control),
                                                            whole.aa, whole.bb)
                                   : linear::cosine(whole.ab, whole.aa, whole.bb);
          });
        },
        [found](Napi::Env env) -> Napi::Value {
          Napi::Object result = Napi::Object::New(env);
          result.Set("cosine", found->first);
          result.Set("squared", found->second);
          return result;
        },
        std::move(pins));
  });
}

// effectiveRank(values)
Napi::Value effective_rank(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const std::vector<double> values = to_doubles(info[0], "values");
    return Napi::Number::New(info.Env(), linear::effective_rank(values));
  });
}

}  // namespace

void export_linear_measures(Napi::Env env, Napi::Object exports) {
  exports.Set("measureKernels", Napi::Function::New(env, measure_kernels));
  exports.Set("alignment", Napi::Function::New(env, alignment));
  exports.Set("effectiveRank", Napi::Function::New(env, effective_rank));
  exports.Set("addKernels", Napi::Function::New(env, add_kernels));
}

}  // namespace at
