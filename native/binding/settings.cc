#include "binding/settings.h"

#include "binding/convert.h"
#include "binding/shared_memory.h"

namespace at {
inline namespace AT_PRECISION {

namespace {

// Pins the array; null is a null pointer.
Reals to_reals(const Napi::Value& value, const char* name, JobObject::Holdings& holdings) {
  if (value.IsNull()) return {};
  const Real* data = float_data(value, -1, name);
  holdings.pins.push_back(Napi::Persistent(value.As<Napi::Object>()));
  return {data, static_cast<int64_t>(value.As<Napi::TypedArray>().ElementLength())};
}

std::vector<double> to_numbers(const Napi::Value& value) {
  const Napi::Array array = value.As<Napi::Array>();
  std::vector<double> numbers;
  for (uint32_t i = 0; i < array.Length(); ++i)
    numbers.push_back(array.Get(i).ToNumber().DoubleValue());
  return numbers;
}

std::vector<ResultArray> to_results(const Napi::Value& value, const char* name,
                                    JobObject::Holdings& holdings) {
  std::vector<ResultArray> results;
  for (int64_t id : to_int64s(value, name)) {
    auto block = find_shared(id);
    results.push_back(
        {block->numbers<Real>(), static_cast<int64_t>(block->bytes() / sizeof(Real))});
    holdings.results.push_back(std::move(block));
  }
  return results;
}

Options::Value to_value(const Napi::Value& type, const Napi::Value& value, const char* name,
                        JobObject::Holdings& holdings) {
  if (type.IsObject())
    return std::make_shared<Options>(
        to_options(type.As<Napi::Object>(), value.ToObject(), holdings));
  const std::string word = to_text(type, "type");
  if (word == "integer") return to_int64(value, name);
  if (word == "text") return to_text(value, name);
  if (word == "integers") return to_int64s(value, name);
  if (word == "numbers") return to_numbers(value);
  if (word == "array") return to_reals(value, name, holdings);
  if (word == "blocks") return to_results(value, name, holdings);
  if (word != "arrays") throw Error("FAILED", "There is no type " + word);
  std::vector<Reals> all;
  const Napi::Array array = value.As<Napi::Array>();
  for (uint32_t i = 0; i < array.Length(); ++i)
    all.push_back(to_reals(array.Get(i), name, holdings));
  return all;
}

}  // namespace

Options to_options(const Napi::Object& fields, const Napi::Object& object,
                   JobObject::Holdings& holdings) {
  Options options;
  const Napi::Array names = fields.GetPropertyNames();
  for (uint32_t i = 0; i < names.Length(); ++i) {
    const Napi::Value key = names.Get(i);
    const Napi::Value value = object.Get(key);
    if (value.IsUndefined()) continue;
    const std::string name = key.ToString();
    options.set(name, to_value(fields.Get(key), value, name.c_str(), holdings));
  }
  return options;
}

}  // namespace AT_PRECISION
}  // namespace at
