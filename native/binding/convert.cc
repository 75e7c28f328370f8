#include "binding/convert.h"

#include "reverse/analysis.h"

namespace at {
inline namespace AT_PRECISION {

namespace {

[[noreturn]] void wrong(Napi::Env env, const char* what, const char* expected) {
  throw Napi::TypeError::New(env, std::string("Expected ") + expected + " for " + what);
}

Napi::Array to_array(const Napi::Value& value, const char* what) {
  if (!value.IsArray()) wrong(value.Env(), what, "an array");
  return value.As<Napi::Array>();
}

Attribute to_attribute(const Napi::Object& object) {
  if (object.Has("i")) return to_int64(object.Get("i"), "attribute");
  if (object.Has("f")) return object.Get("f").ToNumber().DoubleValue();
  if (object.Has("s")) return to_text(object.Get("s"), "attribute");
  if (object.Has("ints")) return to_int64s(object.Get("ints"), "attribute");
  if (object.Has("floats")) {
    const Napi::Array array = to_array(object.Get("floats"), "attribute");
    std::vector<double> values;
    for (uint32_t i = 0; i < array.Length(); ++i)
      values.push_back(array.Get(i).ToNumber().DoubleValue());
    return values;
  }
  const Napi::Array array = to_array(object.Get("strings"), "attribute");
  std::vector<std::string> values;
  for (uint32_t i = 0; i < array.Length(); ++i)
    values.push_back(to_text(array.Get(i), "attribute"));
  return values;
}

Node to_node(const Napi::Object& object) {
  Node node;
  node.op = to_text(object.Get("op"), "op");
  node.domain = to_text(object.Get("domain"), "domain");
  node.opset = static_cast<int>(to_int64(object.Get("opset"), "opset"));
  node.name = to_text(object.Get("name"), "name");
  node.inputs = to_ints(object.Get("inputs"), "inputs");
  node.outputs = to_ints(object.Get("outputs"), "outputs");
  const Napi::Object attributes = object.Get("attributes").ToObject();
  const Napi::Array names = attributes.GetPropertyNames();
  for (uint32_t i = 0; i < names.Length(); ++i) {
    const Napi::Value name = names.Get(i);
    node.attributes.set(name.ToString(), to_attribute(attributes.Get(name).ToObject()));
  }
  return node;
}

}  // namespace

int64_t to_int64(const Napi::Value& value, const char* what) {
  if (value.IsBigInt()) {
    bool lossless = true;
    return value.As<Napi::BigInt>().Int64Value(&lossless);
  }
  if (!value.IsNumber()) wrong(value.Env(), what, "a number");
  return value.As<Napi::Number>().Int64Value();
}

std::string to_text(const Napi::Value& value, const char* what) {
  if (!value.IsString()) wrong(value.Env(), what, "a string");
  return value.As<Napi::String>();
}

std::vector<int64_t> to_int64s(const Napi::Value& value, const char* what) {
  const Napi::Array array = to_array(value, what);
  std::vector<int64_t> values(array.Length());
  for (uint32_t i = 0; i < array.Length(); ++i) values[i] = to_int64(array.Get(i), what);
  return values;
}

std::vector<int> to_ints(const Napi::Value& value, const char* what) {
  const std::vector<int64_t> wide = to_int64s(value, what);
  return std::vector<int>(wide.begin(), wide.end());
}

int64_t property_or(const Napi::Object& object, const char* name, int64_t otherwise) {
  const Napi::Value value = object.Get(name);
  return value.IsUndefined() ? otherwise : to_int64(value, name);
}

std::string text_or(const Napi::Object& object, const char* name, const std::string& otherwise) {
  const Napi::Value value = object.Get(name);
  return value.IsUndefined() ? otherwise : to_text(value, name);
}

Napi::Value required(const Napi::Object& object, const char* name) {
  const Napi::Value value = object.Get(name);
  if (value.IsUndefined()) wrong(object.Env(), name, "a value");
  return value;
}

Napi::Array from_ints(Napi::Env env, const std::vector<int>& values) {
  Napi::Array array = Napi::Array::New(env, values.size());
  for (uint32_t i = 0; i < values.size(); ++i) array.Set(i, Napi::Number::New(env, values[i]));
  return array;
}

Graph to_graph(const Napi::Object& object) {
  Graph graph;
  const Napi::Array values = to_array(object.Get("values"), "values");
  for (uint32_t i = 0; i < values.Length(); ++i) {
    const Napi::Object value = values.Get(i).ToObject();
    ValueInfo info;
    info.name = to_text(value.Get("name"), "name");
    const Napi::Value shape = value.Get("shape");
    if (!shape.IsUndefined()) {
      info.has_static_shape = true;
      info.static_shape = to_int64s(shape, "shape");
    }
    graph.values.push_back(std::move(info));
  }
  const Napi::Array nodes = to_array(object.Get("nodes"), "nodes");
  for (uint32_t i = 0; i < nodes.Length(); ++i)
    graph.nodes.push_back(to_node(nodes.Get(i).ToObject()));
  return graph;
}

Napi::Object from_analysis(Napi::Env env, const Analysis& analysis) {
  Napi::Object result = Napi::Object::New(env);
  Napi::Array refusals = Napi::Array::New(env, analysis.refusals.size());
  for (uint32_t i = 0; i < analysis.refusals.size(); ++i) {
    const Refused& refused = analysis.refusals[i];
    Napi::Object entry = Napi::Object::New(env);
    entry.Set("node", refused.node);
    entry.Set("op", refused.op);
    entry.Set("why", refused.why);
    entry.Set("remedy", refused.remedy);
    refusals.Set(i, entry);
  }
  result.Set("refusals", refusals);
  result.Set("parameters", from_ints(env, analysis.tape.parameters));
  result.Set("nodes", from_ints(env, analysis.nodes));
  result.Set("differentiable", from_ints(env, analysis.differentiable));
  result.Set("taps", from_ints(env, analysis.taps));
  result.Set("forwardTaps", from_ints(env, analysis.forward_taps));
  result.Set("shapes", from_ints(env, analysis.shapes));
  return result;
}

Control to_control(const Napi::Value& value) {
  if (value.IsUndefined()) return Control();
  const bool fits =
      value.IsTypedArray() && value.As<Napi::TypedArray>().TypedArrayType() == napi_bigint64_array;
  if (!fits || value.As<Napi::TypedArray>().ElementLength() < 3)
    wrong(value.Env(), "control", "a BigInt64Array of 3");
  return Control(reinterpret_cast<std::atomic<int64_t>*>(value.As<Napi::BigInt64Array>().Data()));
}

Control to_control(const Napi::Value& value, std::vector<Napi::ObjectReference>& pins) {
  if (!value.IsUndefined()) pins.push_back(Napi::Persistent(value.As<Napi::Object>()));
  return to_control(value);
}

Real* float_data(const Napi::Value& value, int64_t count, const char* what) {
  const bool fits =
      value.IsTypedArray() && value.As<Napi::TypedArray>().TypedArrayType() == kRealArray;
  if (!fits) wrong(value.Env(), what, kRealName);
  auto array = value.As<Napi::TypedArrayOf<Real>>();
  if (count >= 0 && static_cast<int64_t>(array.ElementLength()) != count)
    wrong(value.Env(), what, (kRealName + (" of " + std::to_string(count) + " elements")).c_str());
  return array.Data();
}

}  // namespace AT_PRECISION
}  // namespace at
