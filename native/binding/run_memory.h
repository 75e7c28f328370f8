#pragma once

#include <napi.h>

namespace at {

// Memory for the values of a forward run: of the blocks that passes use, too, so that its pages are
// there. JavaScript sees it as an ArrayBuffer until take_back().
void export_run_memory(Napi::Env env, Napi::Object exports);

// Ends all views of a buffer and gives its memory back now, not with the next collection.
void take_back(Napi::ArrayBuffer buffer);

}  // namespace at
