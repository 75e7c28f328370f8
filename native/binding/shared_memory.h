#pragma once

#include <napi.h>

#include <cstdint>
#include <memory>

#include "core/buffer.h"

namespace at {

// Memory that all threads of the process find by id; one of them sees it as an
// ArrayBuffer.
std::shared_ptr<Memory> find_shared(int64_t id);
// Makes memory known to all threads; it lives until releaseShared(id).
int64_t publish_shared(std::shared_ptr<Memory> memory);
void export_shared_memory(Napi::Env env, Napi::Object exports);

}  // namespace at
