#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "core/error.h"
#include "core/shape.h"

namespace at {

// A block of memory that is 64-byte aligned; large ones are 2 MiB aligned and ask for huge pages,
// because first-touch page faults are slow on virtual machines.
class Memory {
 public:
  explicit Memory(size_t bytes);
  ~Memory();
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;
  void* data() const { return data_; }
  float* floats() const { return static_cast<float*>(data_); }
  template <class T>
  T* numbers() const {
    return static_cast<T*>(data_);
  }
  size_t bytes() const { return bytes_; }
  // Gives a large block's pages back to the system at once; what it held is lost.
  void drop();

 private:
  void* data_ = nullptr;
  size_t bytes_ = 0;
};

// What a pool throws: `needed` bytes would have been live at once.
struct OverBudget : Error {
  OverBudget(size_t needed_bytes, size_t budget);
  size_t needed;
};

// Keeps small freed blocks for reuse, so that a hot loop allocates nothing new (large ones go back
// to the spare memory that all share), and counts what is live. Thread-safe. Blocks in use keep
// the pool's state alive, so they may outlive the pool.
class Pool {
 public:
  explicit Pool(size_t budget_bytes = SIZE_MAX);
  // Uninitialised memory for `count` numbers (at least one). Throws OverBudget when the live
  // blocks would exceed the budget, Error("OUT_OF_MEMORY") when the system has none.
  template <class T>
  std::shared_ptr<T> take(int64_t count) {
    auto block = bytes(checked_mul(count > 0 ? count : 1, sizeof(T)));
    return std::shared_ptr<T>(block, static_cast<T*>(block.get()));
  }
  std::shared_ptr<float> floats(int64_t count) { return take<float>(count); }
  size_t live_bytes() const;
  size_t peak_bytes() const;
  // Gives what is cached back to the system.
  void trim();

 private:
  struct State;
  std::shared_ptr<void> bytes(int64_t count);
  std::shared_ptr<State> state_;
};

// "1.5 MiB".
std::string describe_bytes(size_t bytes);

}  // namespace at
