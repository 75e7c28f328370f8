#pragma once

#include <napi.h>

#include <cstdint>
#include <memory>

#include "core/buffer.h"

namespace at {

// Blocks of memory that all threads of the process find by id; one of them sees the block as an
// ArrayBuffer.
std::shared_ptr<Memory> find_block(int64_t id);
// Makes a block known to all threads; it lives until releaseBlock(id).
int64_t publish_block(std::shared_ptr<Memory> block);
void export_blocks(Napi::Env env, Napi::Object exports);

}  // namespace at
