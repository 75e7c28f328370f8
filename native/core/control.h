#pragma once

#include <atomic>
#include <cstdint>

#include "core/error.h"

namespace at {

// What a long computation shares with its caller: a flag that asks it to stop and a count of the
// work done. Backed by 64-bit cells that JavaScript sees as a BigInt64Array over shared memory:
// [0] stop, [1] done, [2] total. A default-constructed one never stops and counts for nobody.
class Control {
 public:
  Control() = default;
  explicit Control(std::atomic<int64_t>* cells) : cells_(cells) {}

  // Throws Cancelled once the caller has asked to stop. Cheap: call it every few milliseconds.
  void poll() const {
    if (stopped()) throw Cancelled();
  }
  bool stopped() const { return cells_ && cells_[0].load(std::memory_order_relaxed) != 0; }
  void expect(int64_t work) const {
    if (cells_) cells_[2].fetch_add(work, std::memory_order_relaxed);
  }
  void advance(int64_t work) const {
    if (cells_) cells_[1].fetch_add(work, std::memory_order_relaxed);
  }

 private:
  std::atomic<int64_t>* cells_ = nullptr;
};

}  // namespace at
