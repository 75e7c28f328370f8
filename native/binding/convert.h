#pragma once

#include <napi.h>

#include <string>
#include <vector>

#include "core/control.h"
#include "reverse/analysis.h"

// Between JavaScript's values and plain C++ data. Wrong types throw a JavaScript TypeError: the
// callers are our own TypeScript.
namespace at {
inline namespace AT_PRECISION {

// What JavaScript calls an array of Real.
#ifdef AT_DOUBLE
constexpr napi_typedarray_type kRealArray = napi_float64_array;
constexpr const char* kRealName = "a Float64Array";
#else
constexpr napi_typedarray_type kRealArray = napi_float32_array;
constexpr const char* kRealName = "a Float32Array";
#endif

int64_t to_int64(const Napi::Value& value, const char* what);
std::string to_text(const Napi::Value& value, const char* what);
std::vector<int64_t> to_int64s(const Napi::Value& value, const char* what);
std::vector<int> to_ints(const Napi::Value& value, const char* what);
// Missing properties give `otherwise`.
int64_t property_or(const Napi::Object& object, const char* name, int64_t otherwise);
std::string text_or(const Napi::Object& object, const char* name, const std::string& otherwise);
Napi::Value required(const Napi::Object& object, const char* name);

Napi::Array from_ints(Napi::Env env, const std::vector<int>& values);

Graph to_graph(const Napi::Object& graph);
Napi::Object from_analysis(Napi::Env env, const Analysis& analysis);

// From a BigInt64Array; one that never stops where it is undefined.
Control to_control(const Napi::Value& value);
// The same, kept alive by the pins.
Control to_control(const Napi::Value& value, std::vector<Napi::ObjectReference>& pins);

// The numbers of an array of Real, in place.
Real* float_data(const Napi::Value& value, int64_t count, const char* what);

// Runs `work`, turning at::Error into a JavaScript error with its code.
template <class Work>
auto guarded(Napi::Env env, Work&& work) -> decltype(work()) {
  try {
    return work();
  } catch (const Error& error) {
    Napi::Error thrown = Napi::Error::New(env, error.what());
    thrown.Set("code", Napi::String::New(env, error.code()));
    throw thrown;
  } catch (const Napi::Error&) {
    throw;
  } catch (const std::bad_alloc&) {
    Napi::Error thrown = Napi::Error::New(env, "The system gave no more memory");
    thrown.Set("code", Napi::String::New(env, "OUT_OF_MEMORY"));
    throw thrown;
  } catch (const std::exception& error) {
    Napi::Error thrown = Napi::Error::New(env, error.what());
    thrown.Set("code", Napi::String::New(env, "FAILED"));
    throw thrown;
  }
}

}  // namespace AT_PRECISION
}  // namespace at
