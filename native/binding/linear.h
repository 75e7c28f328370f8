#pragma once

#include <napi.h>

namespace at {

// Everything of native/linear that JavaScript sees.
void export_linear(Napi::Env env, Napi::Object exports);

void export_linear_factor(Napi::Env env, Napi::Object exports);
void export_linear_iterative(Napi::Env env, Napi::Object exports);
void export_linear_krylov(Napi::Env env, Napi::Object exports);
void export_linear_measures(Napi::Env env, Napi::Object exports);
void export_linear_softmax(Napi::Env env, Napi::Object exports);

}  // namespace at
