#include <napi.h>

#include "core/blas.h"

namespace at {
namespace {

Napi::Object initialise(Napi::Env env, Napi::Object exports) {
  blas::initialise();
  exports.Set("blas", Napi::String::New(env, blas::describe()));
  return exports;
}

}  // namespace
}  // namespace at

static Napi::Object Init(Napi::Env env, Napi::Object exports) {
  return at::initialise(env, exports);
}
NODE_API_MODULE(adaptive_tangent, Init)
