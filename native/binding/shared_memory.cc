#include "binding/shared_memory.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>

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

Napi::ArrayBuffer as_buffer(Napi::Env env, std::shared_ptr<Memory> memory, size_t bytes) {
  auto* held = new std::shared_ptr<Memory>(memory);
  Napi::MemoryManagement::AdjustExternalMemory(env, static_cast<int64_t>(memory->bytes()));
  return Napi::ArrayBuffer::New(
      env, memory->data(), bytes,
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
    if (bytes < 0) throw Error("TOO_LARGE", "Shared memory cannot have a negative size");
    auto memory = std::make_shared<Memory>(static_cast<size_t>(bytes));
    const int64_t id = publish_shared(memory);
    Napi::Object result = Napi::Object::New(env);
    result.Set("buffer", as_buffer(env, memory, static_cast<size_t>(bytes)));
    result.Set("id", Napi::Number::New(env, static_cast<double>(id)));
    return result;
  });
}

// Memory that this thread does not look into.
Napi::Value create(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return guarded(env, [&]() -> Napi::Value {
    const int64_t bytes = to_int64(info[0], "bytes");
    if (bytes < 0) throw Error("TOO_LARGE", "Shared memory cannot have a negative size");
    const int64_t id = publish_shared(std::make_shared<Memory>(static_cast<size_t>(bytes)));
    return Napi::Number::New(env, static_cast<double>(id));
  });
}

Napi::Value attach(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return guarded(env, [&]() -> Napi::Value {
    auto memory = find_shared(to_int64(info[0], "id"));
    const int64_t bytes = to_int64(info[1], "bytes");
    if (bytes < 0 || static_cast<size_t>(bytes) > memory->bytes())
      throw Error("FAILED", "Shared memory is smaller than what was asked of it");
    return as_buffer(env, memory, static_cast<size_t>(bytes));
  });
}

void release(const Napi::CallbackInfo& info) {
  const int64_t id = to_int64(info[0], "id");
  std::lock_guard<std::mutex> lock(mutex());
  table().erase(id);
}

// For memory that nobody will read: it goes at once instead of with the next collection.
void discard(const Napi::CallbackInfo& info) {
  guarded(info.Env(), [&] { find_shared(to_int64(info[0], "id"))->drop(); });
  release(info);
  release_spare_memory();
}

// The same for a buffer of this thread: arrays over it have no numbers any more.
void detach(const Napi::CallbackInfo& info) { info[0].As<Napi::ArrayBuffer>().Detach(); }

}  // namespace

std::shared_ptr<Memory> find_shared(int64_t id) {
  std::lock_guard<std::mutex> lock(mutex());
  auto found = table().find(id);
  if (found == table().end())
    throw Error("FAILED", "The memory of a result was released too early");
  return found->second;
}

int64_t publish_shared(std::shared_ptr<Memory> memory) {
  static int64_t last = 0;
  std::lock_guard<std::mutex> lock(mutex());
  table()[++last] = std::move(memory);
  return last;
}

void export_shared_memory(Napi::Env env, Napi::Object exports) {
  // Ids mean something only to threads with the same library: its table has its own address.
  const auto address = reinterpret_cast<uintptr_t>(&table());
  exports.Set("instance", Napi::String::New(env, std::to_string(address)));
  exports.Set("allocateShared", Napi::Function::New(env, allocate));
  exports.Set("createShared", Napi::Function::New(env, create));
  exports.Set("attachShared", Napi::Function::New(env, attach));
  exports.Set("releaseShared", Napi::Function::New(env, release));
  exports.Set("discardShared", Napi::Function::New(env, discard));
  exports.Set("detach", Napi::Function::New(env, detach));
  exports.Set("releaseSpareMemory",
              Napi::Function::New(env, [](const Napi::CallbackInfo&) { release_spare_memory(); }));
}

}  // namespace at
