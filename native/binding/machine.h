#pragma once

#include <napi.h>

namespace at {

// Facts about this build and this machine: operators, BLAS, rates, spectra of plain matrices.
void export_machine(Napi::Env env, Napi::Object exports);

}  // namespace at
