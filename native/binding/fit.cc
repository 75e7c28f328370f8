#include "binding/fit.h"

#include <algorithm>

#include "binding/convert.h"
#include "core/shape.h"

namespace at {

bool is_float64(const Napi::Value& value) {
  return value.IsTypedArray() &&
         value.As<Napi::TypedArray>().TypedArrayType() == napi_float64_array;
}

std::vector<double> to_doubles(const Napi::Value& value, const char* what) {
  if (!is_float64(value))
    throw Napi::TypeError::New(value.Env(), std::string("Expected a Float64Array for ") + what);
  auto array = value.As<Napi::Float64Array>();
  return {array.Data(), array.Data() + array.ElementLength()};
}

std::vector<double> to_numbers(const Napi::Value& value, int64_t count, const char* what) {
  if (is_float64(value)) {
    std::vector<double> x = to_doubles(value, what);
    if (static_cast<int64_t>(x.size()) != count)
      throw Error("BAD_ARGUMENT", "Expected " + std::to_string(count) + " numbers for " + what +
                                      " but received " + std::to_string(x.size()));
    return x;
  }
  const float* from = float_data(value, count, what);
  return {from, from + count};
}

std::vector<double> to_matrix(const Napi::Value& value, int64_t n) {
  return to_numbers(value, checked_mul(n, n), "kernel");
}

Napi::Float64Array from_doubles(Napi::Env env, const double* values, size_t count) {
  Napi::Float64Array array = Napi::Float64Array::New(env, count);
  std::copy(values, values + count, array.Data());
  return array;
}

Napi::Float64Array from_doubles(Napi::Env env, const std::vector<double>& values) {
  return from_doubles(env, values.data(), values.size());
}

fit::BlockRule to_rule(const Napi::Object& object) {
  fit::BlockRule rule;
  const std::string structure = to_text(object.Get("structure"), "structure");
  const std::pair<const char*, fit::Structure> names[] = {{"fixed", fit::Structure::fixed},
                                                          {"matrix", fit::Structure::matrix},
                                                          {"modes", fit::Structure::modes},
                                                          {"diagonal", fit::Structure::diagonal},
                                                          {"flat", fit::Structure::flat}};
  const auto* found = std::find_if(std::begin(names), std::end(names),
                                   [&](const auto& name) { return structure == name.first; });
  if (found == std::end(names))
    throw Error("BAD_ARGUMENT", "Expected a known structure but received \"" + structure + "\"");
  rule.structure = found->second;
  rule.dims = to_int64s(object.Get("dims"), "dims");
  for (int64_t side : to_int64s(object.Get("sides"), "sides")) rule.sides.push_back(side != 0);
  const Napi::Array penalties = object.Get("penalties").As<Napi::Array>();
  for (uint32_t i = 0; i < penalties.Length(); ++i)
    rule.penalties.push_back(to_penalty(penalties.Get(i)));
  rule.check();
  return rule;
}

fit::Transform to_transform(const Napi::Object& object) {
  fit::Transform transform;
  transform.dims = to_int64s(object.Get("dims"), "dims");
  element_count(transform.dims);
  transform.numbers = to_doubles(object.Get("numbers"), "numbers");
  if (!transform.numbers.empty()) {
    if (static_cast<int64_t>(transform.numbers.size()) != transform.size())
      throw Error("BAD_ARGUMENT", "Expected one factor per number of the block");
    return transform;
  }
  const Napi::Array modes = object.Get("modes").As<Napi::Array>();
  if (modes.Length() != transform.dims.size())
    throw Error("BAD_ARGUMENT", "Expected one matrix per mode of the block");
  for (uint32_t d = 0; d < modes.Length(); ++d) {
    const Napi::Object mode = modes.Get(d).ToObject();
    fit::Stretch stretch;
    stretch.dim = transform.dims[d];
    stretch.z = to_doubles(mode.Get("z"), "z");
    stretch.vectors = to_doubles(mode.Get("vectors"), "vectors");
    if (static_cast<int64_t>(stretch.vectors.size()) != checked_mul(stretch.rank(), stretch.dim))
      throw Error("BAD_ARGUMENT", "Expected one vector per stretched direction");
    transform.modes.push_back(std::move(stretch));
  }
  return transform;
}

Napi::Object from_transform(Napi::Env env, const fit::Transform& transform) {
  Napi::Object result = Napi::Object::New(env);
  Napi::Array dims = Napi::Array::New(env, transform.dims.size());
  for (uint32_t d = 0; d < transform.dims.size(); ++d)
    dims.Set(d, Napi::Number::New(env, static_cast<double>(transform.dims[d])));
  result.Set("dims", dims);
  result.Set("numbers", from_doubles(env, transform.numbers));
  Napi::Array modes = Napi::Array::New(env, transform.modes.size());
  for (uint32_t d = 0; d < transform.modes.size(); ++d) {
    Napi::Object mode = Napi::Object::New(env);
    mode.Set("z", from_doubles(env, transform.modes[d].z));
    mode.Set("vectors", from_doubles(env, transform.modes[d].vectors));
    modes.Set(d, mode);
  }
  result.Set("modes", modes);
  return result;
}

void export_solve(Napi::Env env, Napi::Object exports) {
  export_solve_penalty(env, exports);
  export_solve_features(env, exports);
  export_solve_fit(env, exports);
  export_solve_flow(env, exports);
}

}  // namespace at
