#include "binding/spectrum.h"

#include <algorithm>
#include <vector>

#include "binding/convert.h"
#include "core/lapack.h"

namespace at {

namespace {

class SpectrumWorker final : public Napi::AsyncWorker {
 public:
  SpectrumWorker(Napi::Env env, std::vector<double> matrix, int64_t n, bool vectors)
      : Napi::AsyncWorker(env),
        deferred_(Napi::Promise::Deferred::New(env)),
        matrix_(std::move(matrix)),
        n_(n),
        vectors_(vectors) {}

  Napi::Promise promise() const { return deferred_.Promise(); }

  void Execute() override {
    try {
      values_.resize(static_cast<size_t>(n_));
      lapack::eigen(vectors_, n_, matrix_.data(), values_.data());
    } catch (const Error& error) {
      code_ = error.code();
      SetError(error.what());
    } catch (const std::exception& error) {
      code_ = "FAILED";
      SetError(error.what());
    }
  }

  void OnOK() override {
    const Napi::Env env = Env();
    const auto n = static_cast<size_t>(n_);
    // LAPACK's are ascending.
    Napi::Float64Array values = Napi::Float64Array::New(env, n);
    for (size_t j = 0; j < n; ++j) values[j] = values_[n - 1 - j];
    if (!vectors_) {
      deferred_.Resolve(values);
      return;
    }
    Napi::Float64Array vectors = Napi::Float64Array::New(env, n * n);
    for (size_t j = 0; j < n; ++j) {
      const double* from = matrix_.data() + (n - 1 - j) * n;
      std::copy(from, from + n, vectors.Data() + j * n);
    }
    Napi::Object result = Napi::Object::New(env);
    result.Set("values", values);
    result.Set("vectors", vectors);
    deferred_.Resolve(result);
  }

  void OnError(const Napi::Error& error) override {
    Napi::Error thrown = error;
    thrown.Set("code", Napi::String::New(Env(), code_));
    deferred_.Reject(thrown.Value());
  }

 private:
  Napi::Promise::Deferred deferred_;
  std::vector<double> matrix_;
  std::vector<double> values_;
  int64_t n_;
  bool vectors_;
  std::string code_;
};

// The numbers of a Float32Array or Float64Array.
std::vector<double> to_doubles(const Napi::Value& value, int64_t count) {
  const bool wide = value.IsTypedArray() &&
                    value.As<Napi::TypedArray>().TypedArrayType() == napi_float64_array &&
                    static_cast<int64_t>(value.As<Napi::TypedArray>().ElementLength()) == count;
  if (wide) {
    const double* from = value.As<Napi::Float64Array>().Data();
    return std::vector<double>(from, from + count);
  }
  const float* from = float_data(value, count, "matrix");
  return std::vector<double>(from, from + count);
}

Napi::Value start(const Napi::CallbackInfo& info, bool vectors) {
  const Napi::Env env = info.Env();
  return guarded(env, [&]() -> Napi::Value {
    const int64_t n = to_int64(info[1], "n");
    const int64_t count = checked_mul(n, n);
    auto* worker = new SpectrumWorker(env, to_doubles(info[0], count), n, vectors);
    const Napi::Promise promise = worker->promise();
    worker->Queue();
    return promise;
  });
}

}  // namespace

void export_spectrum(Napi::Env env, Napi::Object exports) {
  exports.Set("eigenvalues", Napi::Function::New(env, [](const Napi::CallbackInfo& info) {
                return start(info, false);
              }));
  exports.Set("eigenvectors", Napi::Function::New(env, [](const Napi::CallbackInfo& info) {
                return start(info, true);
              }));
}

}  // namespace at
