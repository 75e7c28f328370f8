#include "core/buffer.h"

#include <sys/mman.h>

#include <cstdio>
#include <cstdlib>
#include <map>
#include <new>
#include <string>

#include "core/error.h"
#include "core/shape.h"
#include "core/spare.h"

namespace at {

namespace {
constexpr size_t kHuge = size_t{2} << 20;

size_t rounded(size_t bytes) {
  const size_t unit = bytes >= kHuge ? kHuge : 64;
  return (bytes + unit - 1) / unit * unit;
}

}  // namespace

Memory::Memory(size_t bytes) : bytes_(rounded(bytes ? bytes : 1)) {
  if (bytes_ >= kHuge) {
    data_ = take_block(bytes_);
  } else if (posix_memalign(&data_, 64, bytes_) != 0) {
    data_ = nullptr;
  }
  if (!data_) {
    throw Error("OUT_OF_MEMORY", "The system has no " + describe_bytes(bytes_) + " to give");
  }
}

Memory::~Memory() {
  if (bytes_ < kHuge) {
    std::free(data_);
  } else {
    give_block(data_, bytes_);
  }
}

void Memory::drop() {
#ifdef MADV_DONTNEED
  if (bytes_ >= kHuge) madvise(data_, bytes_, MADV_DONTNEED);
#endif
}

OverBudget::OverBudget(size_t needed_bytes, size_t budget)
    : Error("MEMORY_BUDGET", "At least " + describe_bytes(needed_bytes) +
                                 " are needed at once but the memory budget leaves " +
                                 describe_bytes(budget)),
      needed(needed_bytes) {}

std::string describe_bytes(size_t bytes) {
  const char* units[] = {"bytes", "KiB", "MiB", "GiB", "TiB"};
  double value = static_cast<double>(bytes);
  int power = 0;
  for (; value >= 1024 && power < 4; ++power) value /= 1024;
  char text[32];
  std::snprintf(text, sizeof text, power && value < 100 ? "%.1f %s" : "%.0f %s", value,
                units[power]);
  return text;
}

struct Pool::State {
  std::mutex mutex;
  std::multimap<size_t, std::unique_ptr<Memory>> free;
  size_t budget = SIZE_MAX;
  size_t live = 0;
  size_t cached = 0;
  size_t peak = 0;
};

Pool::Pool(size_t budget_bytes) : state_(std::make_shared<State>()) {
  state_->budget = budget_bytes;
}

std::shared_ptr<void> Pool::bytes(int64_t count) {
  const size_t wanted = rounded(static_cast<size_t>(count));
  auto state = state_;
  std::unique_ptr<Memory> block;
  {
    std::lock_guard<std::mutex> lock(state->mutex);
    // A cached block may be up to a quarter larger than asked for; more would waste the budget.
    auto found = state->free.lower_bound(wanted);
    if (found != state->free.end() && found->first <= wanted + wanted / 4) {
      block = std::move(found->second);
      state->cached -= found->first;
      state->free.erase(found);
    }
    const size_t bytes = block ? block->bytes() : wanted;
    if (bytes > state->budget || state->live > state->budget - bytes) {
      throw OverBudget(state->live + bytes, state->budget);
    }
    if (!block) {
      while (!state->free.empty() && state->live + state->cached + bytes > state->budget) {
        auto largest = std::prev(state->free.end());
        state->cached -= largest->first;
        state->free.erase(largest);
      }
    }
    state->live += bytes;
    if (state->live + state->cached > state->peak) state->peak = state->live + state->cached;
  }
  if (!block) {
    try {
      block = std::make_unique<Memory>(wanted);
    } catch (...) {
      std::lock_guard<std::mutex> lock(state->mutex);
      state->live -= wanted;
      throw;
    }
  }
  Memory* raw = block.release();
  return std::shared_ptr<void>(raw->data(), [state, raw](void*) {
    std::unique_ptr<Memory> back(raw);
    std::lock_guard<std::mutex> lock(state->mutex);
    state->live -= back->bytes();
    if (back->bytes() >= kHuge) return;
    state->cached += back->bytes();
    state->free.emplace(back->bytes(), std::move(back));
  });
}

size_t Pool::live_bytes() const {
  std::lock_guard<std::mutex> lock(state_->mutex);
  return state_->live;
}

size_t Pool::peak_bytes() const {
  std::lock_guard<std::mutex> lock(state_->mutex);
  return state_->peak;
}

void Pool::trim() {
  std::lock_guard<std::mutex> lock(state_->mutex);
  state_->free.clear();
  state_->cached = 0;
}

}  // namespace at
