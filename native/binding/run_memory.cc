#include "binding/run_memory.h"

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>

#include "binding/convert.h"
#include "core/buffer.h"

namespace at {

namespace {

struct Lent {
  int64_t number;
  std::unique_ptr<Memory> memory;
};

std::mutex& mutex() {
  static std::mutex instance;
  return instance;
}
// By address. Never destroyed: threads may end after it would have been.
std::map<const void*, Lent>& table() {
  static auto* instance = new std::map<const void*, Lent>();
  return *instance;
}

void end(const void* data, int64_t number) {
  std::lock_guard<std::mutex> lock(mutex());
  const auto found = table().find(data);
  // The memory may have been given back, and lent again.
  if (found != table().end() && (number == 0 || found->second.number == number))
    table().erase(found);
}

Napi::Value lend(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return guarded(env, [&]() -> Napi::Value {
    static int64_t last = 0;
    const int64_t bytes = to_int64(info[0], "bytes");
    if (bytes < 1) throw Error("BAD_ARGUMENT", "Memory for a run holds a byte at least");
    auto memory = std::make_unique<Memory>(static_cast<size_t>(bytes));
    void* data = memory->data();
    int64_t number = 0;
    {
      std::lock_guard<std::mutex> lock(mutex());
      number = ++last;
      table()[data] = {number, std::move(memory)};
    }
    return Napi::ArrayBuffer::New(env, data, static_cast<size_t>(bytes),
                                  [number](Napi::Env, void* address) { end(address, number); });
  });
}

// Ends all views of a buffer and gives its memory back now, not with the next collection.
void take_back(const Napi::CallbackInfo& info) {
  auto buffer = info[0].As<Napi::ArrayBuffer>();
  const void* data = buffer.Data();
  buffer.Detach();
  end(data, 0);
}

}  // namespace

void export_run_memory(Napi::Env env, Napi::Object exports) {
  exports.Set("lendMemory", Napi::Function::New(env, lend));
  exports.Set("takeMemoryBack", Napi::Function::New(env, take_back));
}

}  // namespace at
