#pragma once

#include <napi.h>

namespace at {

// What can be loaded while JavaScript gets ready for it.
void export_ahead(Napi::Env env, Napi::Object exports);

}  // namespace at
