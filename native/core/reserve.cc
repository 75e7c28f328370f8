#include "core/reserve.h"

#include <dlfcn.h>
#include <sys/mman.h>
#include <tbb/info.h>

#include <algorithm>
#include <cstddef>
#include <mutex>
#include <string>
#include <vector>

#include "core/error.h"

namespace at {

namespace {

// OpenBLAS's buffer (at most 128 MiB), a thread's stack, and what the thread itself allocates.
constexpr size_t kPerThread = size_t{160} << 20;

bool is_there(size_t bytes) {
  void* room = mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (room == MAP_FAILED) return false;
  munmap(room, bytes);
  return true;
}

}  // namespace

void reserve_for_threads(int threads) {
  static std::mutex mutex;
  static int reserved = 0;
  std::lock_guard<std::mutex> lock(mutex);
  const int cores = tbb::info::default_concurrency();
  // TBB's threads, and the one that calls it.
  const int wanted = (threads > 0 ? std::min(threads, cores) : cores) + 1;
  if (wanted <= reserved) return;
  if (!is_there(static_cast<size_t>(wanted - reserved) * kPerThread)) {
    throw Error("OUT_OF_MEMORY", "The system gave no memory for the work buffers of " +
                                     std::to_string(wanted - 1) +
                                     " threads; raise its limit (ulimit -v) or use fewer threads");
  }
  using Alloc = void* (*)(int);
  using Free = void (*)(void*);
  const auto alloc = reinterpret_cast<Alloc>(dlsym(RTLD_DEFAULT, "blas_memory_alloc"));
  const auto free = reinterpret_cast<Free>(dlsym(RTLD_DEFAULT, "blas_memory_free"));
  if (alloc && free) {
    // OpenBLAS keeps buffers that were returned: taken all at once, there are as many later.
    std::vector<void*> buffers;
    for (int k = 0; k < wanted; ++k) buffers.push_back(alloc(0));
    for (void* buffer : buffers)
      if (buffer) free(buffer);
  }
  reserved = wanted;
}

}  // namespace at
