// The engine's calls that multiply by the Jacobian without forming it.
#include "binding/convert.h"
#include "binding/engine.h"
#include "binding/settings.h"
#include "contraction/jacobian_job.h"
#include "contraction/jvp_job.h"
#include "contraction/product_job.h"

namespace at {
inline namespace AT_PRECISION {

namespace {

int64_t to_columns(const Napi::Object& options) {
  const int64_t columns = property_or(options, "columns", 1);
  if (columns < 1) throw Error("BAD_ARGUMENT", "A product needs at least one vector");
  return columns;
}

// Numbers of (samples, outputs, columns).
int64_t image_size(const JobSettings& settings, int64_t columns) {
  return checked_mul(checked_mul(settings.samples, static_cast<int64_t>(settings.outputs.size())),
                     columns);
}

// An array of Real of the options, pinned.
const Real* pinned_floats(const Napi::Object& options, const char* name, int64_t count,
                          JobObject::Holdings& holdings) {
  const Napi::Value value = required(options, name);
  const Real* data = float_data(value, count, name);
  holdings.pins.push_back(Napi::Persistent(value.As<Napi::Object>()));
  return data;
}

}  // namespace

Napi::Value EngineObject::vjp(const Napi::CallbackInfo& info) {
  return start_job(info, state_, [](JobRequest& request) -> std::unique_ptr<Job> {
    auto& [options, tape, holdings, settings] = request;
    const int64_t columns = to_columns(options);
    const Real* vectors =
        pinned_floats(options, "cotangents", image_size(settings, columns), holdings);
    auto results = parameter_results(options, tape, columns, holdings);
    return std::make_unique<GradientJob>(tape, std::move(settings), columns, vectors,
                                         std::move(results));
  });
}

Napi::Value EngineObject::jvp(const Napi::CallbackInfo& info) {
  return start_job(info, state_, [](JobRequest& request) -> std::unique_ptr<Job> {
    auto& [options, tape, holdings, settings] = request;
    const int64_t columns = to_columns(options);
    auto directions =
        to_directions(required(options, "directions").As<Napi::Array>(), tape, columns, holdings);
    Real* result = result_block(to_int64(required(options, "result"), "result"),
                                image_size(settings, columns), holdings);
    return std::make_unique<JvpJob>(tape, std::move(settings), columns, std::move(directions),
                                    result);
  });
}

Napi::Value EngineObject::product(const Napi::CallbackInfo& info) {
  return start_job(info, state_, [](JobRequest& request) -> std::unique_ptr<Job> {
    auto& [options, tape, holdings, settings] = request;
    const int64_t columns = to_columns(options);
    const int64_t count = image_size(settings, columns);
    const Real* vectors = pinned_floats(options, "vectors", count, holdings);
    Real* result = result_block(to_int64(required(options, "result"), "result"), count, holdings);
    return std::make_unique<ProductJob>(tape, std::move(settings), columns, vectors,
                                        parameter_sizes(tape), result);
  });
}

Napi::Value EngineObject::normal(const Napi::CallbackInfo& info) {
  return start_job(info, state_, [](JobRequest& request) -> std::unique_ptr<Job> {
    auto& [options, tape, holdings, settings] = request;
    const int64_t columns = to_columns(options);
    auto directions =
        to_directions(required(options, "directions").As<Napi::Array>(), tape, columns, holdings);
    auto results = parameter_results(options, tape, columns, holdings);
    return std::make_unique<NormalJob>(tape, std::move(settings), columns, std::move(directions),
                                       std::move(results));
  });
}

}  // namespace AT_PRECISION
}  // namespace at
