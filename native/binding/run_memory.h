#pragma once

#include <napi.h>

namespace at {

// Memory for the values of a forward run: of the blocks that passes use, too, so that its pages are
// there. JavaScript sees it as an ArrayBuffer until it gives it back.
void export_run_memory(Napi::Env env, Napi::Object exports);

}  // namespace at
