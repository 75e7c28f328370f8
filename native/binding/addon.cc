#include <napi.h>

#include "binding/ahead.h"
#include "binding/engine.h"
#include "binding/fit.h"
#include "binding/linear.h"
#include "binding/machine.h"
#include "binding/run_memory.h"
#include "binding/shared_memory.h"
#include "core/blas.h"

namespace at::f64 {
// Compiled from the same file with AT_DOUBLE.
void export_engine(Napi::Env env, Napi::Object exports);
}  // namespace at::f64

static Napi::Object initialise(Napi::Env env, Napi::Object exports) {
  at::blas::initialise();
  at::export_shared_memory(env, exports);
  at::export_run_memory(env, exports);
  env.SetInstanceData(new at::AddonData());
  at::export_engine(env, exports);
  at::f64::export_engine(env, exports);
  at::export_linear(env, exports);
  at::export_machine(env, exports);
  at::export_ahead(env, exports);
  at::export_solve(env, exports);
  return exports;
}

NODE_API_MODULE(adaptive_tangent, initialise)
