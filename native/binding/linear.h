#pragma once

#include <napi.h>

namespace at {

// Matrix products of JavaScript's own arrays.
void export_linear(Napi::Env env, Napi::Object exports);

}  // namespace at
