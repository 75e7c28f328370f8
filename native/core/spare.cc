#include "core/spare.h"

#include <sys/mman.h>

#include <cstdint>
#include <map>
#include <mutex>

namespace at {

namespace {

constexpr size_t kHuge = size_t{2} << 20;

class Spare {
 public:
  void* take(size_t bytes) {
    std::lock_guard<std::mutex> lock(mutex_);
    const auto found = blocks_.find(bytes);
    if (found != blocks_.end()) return remove(found);
    // Smaller ones first: larger ones are harder to come by.
    for (size_t freed = 0; freed < bytes && !blocks_.empty();) {
      const auto first = blocks_.begin();
      freed += first->first;
      const size_t size = first->first;
      munmap(remove(first), size);
    }
    return nullptr;
  }

  bool keep(void* data, size_t bytes) {
    std::lock_guard<std::mutex> lock(mutex_);
    if (bytes > kLimit || total_ > kLimit - bytes) return false;
    blocks_.emplace(bytes, data);
    total_ += bytes;
    return true;
  }

  void release() {
    std::lock_guard<std::mutex> lock(mutex_);
    for (const auto& [bytes, data] : blocks_) munmap(data, bytes);
    blocks_.clear();
    total_ = 0;
  }

 private:
  using Blocks = std::multimap<size_t, void*>;
  static constexpr size_t kLimit = size_t{2} << 30;

  void* remove(Blocks::iterator at) {
    void* data = at->second;
    total_ -= at->first;
    blocks_.erase(at);
    return data;
  }

  std::mutex mutex_;
  Blocks blocks_;
  size_t total_ = 0;
};

// Never destroyed: blocks may be given up while the process ends.
Spare& spare() {
  static Spare* instance = new Spare();
  return *instance;
}

// 2 MiB aligned; null when there is none.
void* map(size_t bytes) {
  if (bytes > SIZE_MAX - kHuge) return nullptr;
  void* all =
      mmap(nullptr, bytes + kHuge, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (all == MAP_FAILED) return nullptr;
  char* start = static_cast<char*>(all);
  const size_t before = (kHuge - reinterpret_cast<uintptr_t>(start) % kHuge) % kHuge;
  if (before > 0) munmap(start, before);
  munmap(start + before + bytes, kHuge - before);
#ifdef MADV_HUGEPAGE
  madvise(start + before, bytes, MADV_HUGEPAGE);
#endif
  return start + before;
}

}  // namespace

void* take_block(size_t bytes) {
  void* data = spare().take(bytes);
  return data ? data : map(bytes);
}

void give_block(void* data, size_t bytes) {
  if (!spare().keep(data, bytes)) munmap(data, bytes);
}

void release_spare_memory() { spare().release(); }

}  // namespace at
