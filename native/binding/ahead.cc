#include "binding/ahead.h"

#include <dlfcn.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <exception>
#include <string>
#include <thread>

namespace at {

namespace {

// The part of onnxruntime's interface in C that is needed here, as of its first version: entries
// keep their places. What is loaded here once, the module for Node finds loaded.
struct Runtime {
  const void* const* (*entries)(uint32_t version);
  const char* (*version)();
};
constexpr size_t kCreateEnvironment = 3, kCreateSession = 8, kCreateOptions = 10, kSetThreads = 24,
                 kReleaseSession = 95, kReleaseOptions = 100;
constexpr int kFatal = 4;  // what is said of errors

using CreateEnvironment = void* (*)(int log_level, const char* name, void** environment);
using CreateSession = void* (*)(const void* environment, const void* model, size_t bytes,
                                const void* options, void** session);
using CreateOptions = void* (*)(void** options);
using SetThreads = void* (*)(void* options, int threads);
using Release = void (*)(void*);

// y = Identity(x), one number, as an ONNX model of opset 13.
constexpr char kNothing[] =
    "\x08\x08:?\n\x12\n\x01x\x12\x01y\x1a\x00\"\x08Identity\x12\x07nothing"
    "Z\x0f\n\x01x\x12\n\n\x08\x08\x01\x12\x04\n\x02\x08\x01"
    "b\x0f\n\x01y\x12\n\n\x08\x08\x01\x12\x04\n\x02\x08\x01"
    "B\x02\x10\r";

// A session of a network that does nothing: the next one is made in a tenth of the time.
void warm(const void* const* entries, const void* environment) {
  const auto entry = [&](size_t place) { return reinterpret_cast<uintptr_t>(entries[place]); };
  void *options = nullptr, *session = nullptr;
  reinterpret_cast<CreateOptions>(entry(kCreateOptions))(&options);
  if (!options) return;
  reinterpret_cast<SetThreads>(entry(kSetThreads))(options, 1);
  reinterpret_cast<CreateSession>(entry(kCreateSession))(environment, kNothing, sizeof kNothing - 1,
                                                         options, &session);
  if (session) reinterpret_cast<Release>(entry(kReleaseSession))(session);
  reinterpret_cast<Release>(entry(kReleaseOptions))(options);
}

// Most of the time that it takes to load goes into the table of all operators, which an environment
// makes. It is never released: the last one to be released is gone before it is taken apart, and
// whoever makes one meanwhile ends the process. Errors are left to whoever loads it in earnest.
void load(const std::string& path) {
  void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!library) return;
  const auto runtime = reinterpret_cast<const Runtime* (*)()>(dlsym(library, "OrtGetApiBase"));
  const void* const* entries = runtime ? runtime()->entries(1) : nullptr;
  if (!entries) return;
  const auto create =
      reinterpret_cast<CreateEnvironment>(reinterpret_cast<uintptr_t>(entries[kCreateEnvironment]));
  void* environment = nullptr;
  create(kFatal, "", &environment);
  if (environment) warm(entries, environment);
}

// glibc lets the heap of a thread that is not the first grow by a page at a time, each time by a
// call that waits until no thread touches a new page: more than a thousand of them while others
// start. What was its own once, it keeps.
void widen_heap() {
  constexpr size_t kBlocks = 80, kBytes = 100 << 10;  // each below what gets a mapping of its own
  std::array<void*, kBlocks> blocks;
  for (void*& block : blocks) block = std::malloc(kBytes);
  for (void* block : blocks) std::free(block);
}

std::atomic<int> loading{0};

// On a thread of its own, which ends by itself.
void load_ahead(const Napi::CallbackInfo& info) {
  const std::string path = info[0].As<Napi::String>();
  ++loading;
  try {
    std::thread([path] {
      widen_heap();
      load(path);
      --loading;
    }).detach();
  } catch (const std::exception&) {
    // No thread is left: it is loaded later.
    --loading;
  }
}

Napi::Value loads_ahead(const Napi::CallbackInfo& info) {
  return Napi::Boolean::New(info.Env(), loading > 0);
}

}  // namespace

void export_ahead(Napi::Env env, Napi::Object exports) {
  exports.Set("loadAhead", Napi::Function::New(env, load_ahead));
  exports.Set("loadsAhead", Napi::Function::New(env, loads_ahead));
}

}  // namespace at
