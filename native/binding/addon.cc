#include <napi.h>

#include "binding/blocks.h"
#include "binding/engine.h"
#include "binding/linear.h"
#include "binding/machine.h"
#include "binding/solve.h"
#include "binding/spectrum.h"
#include "core/blas.h"

static Napi::Object initialise(Napi::Env env, Napi::Object exports) {
  at::blas::initialise();
  at::export_blocks(env, exports);
  at::export_engine(env, exports);
  at::export_linear(env, exports);
  at::export_machine(env, exports);
  at::export_solve(env, exports);
  at::export_spectrum(env, exports);
  return exports;
}

NODE_API_MODULE(adaptive_tangent, initialise)
