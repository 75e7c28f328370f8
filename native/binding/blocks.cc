#include "binding/blocks.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <mutex>

#include "binding/convert.h"
#include "core/spare.h"

namespace at {

namespace {

std::mutex& mutex() {
  static std::mutex instance;
  return instance;
}
std::map<int64_t, std::shared_ptr<Memory>>& table() {
  static std::map<int64_t, std::shared_ptr<Memory>> instance;
  return instance;
}

Napi::ArrayBuffer as_buffer(Napi::Env env, std::shared_ptr<Memory> block, size_t bytes) {
  auto* held = new std::shared_ptr<Memory>(block);
  Napi::MemoryManagement::AdjustExternalMemory(env, static_cast<int64_t>(block->bytes()));
  return Napi::ArrayBuffer::New(
      env, block->data(), bytes,
      [](Napi::Env finalizer_env, void*, std::shared_ptr<Memory>* hint) {
        Napi::MemoryManagement::AdjustExternalMemory(finalizer_env,
                                                     -static_cast<int64_t>((*hint)->bytes()));
        delete hint;
      },
      held);
}

Napi::Value allocate(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return guarded(env, [&]() -> Napi::Value {
    const int64_t bytes = to_int64(info[0], "bytes");
    if (bytes < 0) throw Error("TOO_LARGE", "A block cannot have a negative size");
    auto block = std::make_shared<Memory>(static_cast<size_t>(bytes));
    const int64_t id = publish_block(block);
    Napi::Object result = Napi::Object::New(env);
    result.Set("buffer", as_buffer(env, block, static_cast<size_t>(bytes)));
    result.Set("id", Napi::Number::New(env, static_cast<double>(id)));
    return result;
  });
}

// Memory that this thread does not look into.
Napi::Value create(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return guarded(env, [&]() -> Napi::Value {
    const int64_t bytes = to_int64(info[0], "bytes");
    if (bytes < 0) throw Error("TOO_LARGE", "A block cannot have a negative size");
    const int64_t id = publish_block(std::make_shared<Memory>(static_cast<size_t>(bytes)));
    return Napi::Number::New(env, static_cast<double>(id));
  });
}

Napi::Value attach(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return guarded(env, [&]() -> Napi::Value {
    auto block = find_block(to_int64(info[0], "id"));
    const int64_t bytes = to_int64(info[1], "bytes");
    if (bytes < 0 || static_cast<size_t>(bytes) > block->bytes())
      throw Error("FAILED", "A block is smaller than what was asked of it");
    return as_buffer(env, block, static_cast<size_t>(bytes));
  });
}

void release(const Napi::CallbackInfo& info) {
  const int64_t id = to_int64(info[0], "id");
  std::lock_guard<std::mutex> lock(mutex());
  table().erase(id);
}

// For a block that nobody will read: its memory goes at once instead of with the next collection.
void discard(const Napi::CallbackInfo& info) {
  guarded(info.Env(), [&] { find_block(to_int64(info[0], "id"))->drop(); });
  release(info);
  release_spare_memory();
}

}  // namespace

std::shared_ptr<Memory> find_block(int64_t id) {
  std::lock_guard<std::mutex> lock(mutex());
  auto found = table().find(id);
  if (found == table().end()) throw Error("FAILED", "A result block was released too early");
  return found->second;
}

int64_t publish_block(std::shared_ptr<Memory> block) {
  static int64_t last = 0;
  std::lock_guard<std::mutex> lock(mutex());
  table()[++last] = std::move(block);
  return last;
}

void export_blocks(Napi::Env env, Napi::Object exports) {
  exports.Set("allocateBlock", Napi::Function::New(env, allocate));
  exports.Set("createBlock", Napi::Function::New(env, create));
  exports.Set("attachBlock", Napi::Function::New(env, attach));
  exports.Set("releaseBlock", Napi::Function::New(env, release));
  exports.Set("discardBlock", Napi::Function::New(env, discard));
  exports.Set("releaseSpareMemory",
              Napi::Function::New(env, [](const Napi::CallbackInfo&) { release_spare_memory(); }));
}

}  // namespace at
