#pragma once

#include <napi.h>

namespace at {

// Eigenvalues and eigenvectors of symmetric matrices, computed off the JavaScript thread.
void export_spectrum(Napi::Env env, Napi::Object exports);

}  // namespace at
