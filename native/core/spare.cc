#include "core/spare.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <map>
#include <mutex>
#include <vector>

namespace at {

namespace {

constexpr size_t kHuge = size_t{2} << 20;
constexpr size_t kRegion = size_t{1} << 30;  // of address space; only what is touched is memory
constexpr size_t kLimit = size_t{2} << 30;   // of spare memory

// Address space, 2 MiB aligned, asking for huge pages; null when there is none.
char* map(size_t bytes) {
  if (bytes > SIZE_MAX - kHuge) return nullptr;
  int flags = MAP_PRIVATE | MAP_ANONYMOUS;
#ifdef MAP_NORESERVE
  flags |= MAP_NORESERVE;
#endif
  void* all = mmap(nullptr, bytes + kHuge, PROT_READ | PROT_WRITE, flags, -1, 0);
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

// Address-ordered first fit with coalescing: what was touched is used again, lowest first, before
// new memory is touched.
class Spare {
 public:
  void* take(size_t bytes) {
    std::lock_guard<std::mutex> lock(mutex_);
    for (auto range = spare_.begin(); range != spare_.end(); ++range)
      if (range->second >= bytes) return cut(range, bytes);
    for (Fresh& fresh : fresh_)
      if (void* data = extend(fresh, bytes)) return data;
    const size_t size = std::max(bytes, kRegion);
    if (char* start = map(size)) {
      fresh_.push_back({start + bytes, start + size});
      return start;
    }
    return map(bytes);
  }

  void give(char* data, size_t bytes) {
    std::lock_guard<std::mutex> lock(mutex_);
    auto next = spare_.lower_bound(data);
    total_ += bytes;
    if (next != spare_.end() && data + bytes == next->first) {
      bytes += next->second;
      next = spare_.erase(next);
    }
    if (next != spare_.begin()) {
      const auto before = std::prev(next);
      if (before->first + before->second == data) {
        data = before->first;
        bytes += before->second;
        spare_.erase(before);
      }
    }
    if (total_ > kLimit) {
      munmap(data, bytes);
      total_ -= bytes;
    } else {
      spare_.emplace(data, bytes);
    }
  }

  void release() {
    std::lock_guard<std::mutex> lock(mutex_);
    for (const auto& [data, bytes] : spare_) munmap(data, bytes);
    for (const Fresh& fresh : fresh_)
      if (fresh.first != fresh.last) munmap(fresh.first, size_of(fresh));
    spare_.clear();
    fresh_.clear();
    total_ = 0;
  }

 private:
  using Ranges = std::map<char*, size_t>;
  struct Fresh {
    char *first, *last;  // never touched
  };

  static size_t size_of(const Fresh& fresh) {
    return static_cast<size_t>(fresh.last - fresh.first);
  }

  void* cut(Ranges::iterator range, size_t bytes) {
    const auto [data, size] = *range;
    spare_.erase(range);
    if (size > bytes) spare_.emplace(data + bytes, size - bytes);
    total_ -= bytes;
    return data;
  }

  // A spare range that ends where the fresh one begins is used first.
  void* extend(Fresh& fresh, size_t bytes) {
    char* start = fresh.first;
    const auto after = spare_.lower_bound(start);
    const auto before = after == spare_.begin() ? spare_.end() : std::prev(after);
    const size_t spare =
        before != spare_.end() && before->first + before->second == start ? before->second : 0;
    if (size_of(fresh) < bytes - spare) return nullptr;
    if (spare > 0) {
      start = before->first;
      total_ -= spare;
      spare_.erase(before);
    }
    fresh.first = start + bytes;
    return start;
  }

  std::mutex mutex_;
  Ranges spare_;
  std::vector<Fresh> fresh_;
  size_t total_ = 0;  // of spare_
};

// Never destroyed: blocks may be given up while the process ends.
Spare& spare() {
  static Spare* instance = new Spare();
  return *instance;
}

}  // namespace

void* take_block(size_t bytes) { return spare().take(bytes); }

void give_block(void* data, size_t bytes) { spare().give(static_cast<char*>(data), bytes); }

void release_spare_memory() { spare().release(); }

}  // namespace at
