// Memory, Pool and the spare blocks behind them.
#include <array>
#include <cstring>
#include <map>
#include <thread>

#include "core/buffer.h"
#include "core/spare.h"
#include "support.h"

namespace at::test {

namespace {

constexpr size_t kMiB = size_t{1} << 20;

uintptr_t address(const void* data) { return reinterpret_cast<uintptr_t>(data); }

// One mark at every page of a block: enough to notice that two blocks overlap.
void mark(void* data, size_t bytes, uint64_t word) {
  for (size_t at = 0; at < bytes; at += 4096) std::memcpy(static_cast<char*>(data) + at, &word, 8);
}

bool marked(const void* data, size_t bytes, uint64_t word) {
  for (size_t at = 0; at < bytes; at += 4096)
    if (std::memcmp(static_cast<const char*>(data) + at, &word, 8) != 0) return false;
  return true;
}

// Runs work(k) for k = 0 … count - 1, each on a thread of its own.
template <class Work>
void on_threads(int count, const Work& work) {
  std::vector<std::thread> threads;
  for (int k = 0; k < count; ++k) threads.emplace_back([&work, k] { work(k); });
  for (std::thread& thread : threads) thread.join();
}

}  // namespace

TEST_CASE("memory: aligned, and at least as large as asked for") {
  for (const size_t bytes : {size_t{0}, size_t{1}, size_t{63}, size_t{4097}, 2 * kMiB, 5 * kMiB}) {
    Memory memory(bytes);
    CHECK_GE(memory.bytes(), std::max<size_t>(bytes, 1));
    CHECK_EQ(address(memory.data()) % (bytes >= 2 * kMiB ? 2 * kMiB : 64), 0);
    std::memset(memory.data(), 1, memory.bytes());
  }
}

TEST_CASE("memory: a dropped block can be written again") {
  Memory memory(4 * kMiB);
  mark(memory.data(), memory.bytes(), 7);
  memory.drop();
  mark(memory.data(), memory.bytes(), 8);
  CHECK(marked(memory.data(), memory.bytes(), 8));
}

TEST_CASE("memory: what the system cannot give is an error with a code") {
  CHECK_EQ(code_of([] { Memory memory(size_t{1} << 62); }), "OUT_OF_MEMORY");
  Pool pool;
  CHECK_EQ(code_of([&] { pool.floats(int64_t{1} << 59); }), "OUT_OF_MEMORY");
  CHECK_EQ(code_of([&] { pool.floats(int64_t{1} << 62); }), "TOO_LARGE");
  CHECK_EQ(pool.live_bytes(), 0);
}

TEST_CASE("memory: bytes in words") {
  CHECK_EQ(describe_bytes(0), "0 bytes");
  CHECK_EQ(describe_bytes(1023), "1023 bytes");
  CHECK_EQ(describe_bytes(1536), "1.5 KiB");
  CHECK_EQ(describe_bytes(300 * kMiB), "300 MiB");
  CHECK_EQ(describe_bytes(size_t{5} << 40), "5.0 TiB");
}

TEST_CASE("pool: counts what is live and remembers the most") {
  Pool pool;
  auto a = pool.floats(1024);
  CHECK_EQ(pool.live_bytes(), 4096);
  auto b = pool.take<double>(1024);
  CHECK_EQ(pool.live_bytes(), 4096 + 8192);
  a.reset();
  CHECK_EQ(pool.live_bytes(), 8192);
  b.reset();
  CHECK_EQ(pool.live_bytes(), 0);
  CHECK_EQ(pool.peak_bytes(), 4096 + 8192);
}

TEST_CASE("pool: a freed block serves the next of about its size, and only that") {
  Pool pool;
  auto a = pool.floats(1024);
  const float* before = a.get();
  a.reset();
  auto b = pool.floats(900);
  CHECK_EQ(b.get(), before);
  // 4096 bytes are more than a quarter too large for 512 numbers.
  b.reset();
  auto c = pool.floats(512);
  CHECK_EQ(pool.live_bytes(), 2048);
  pool.trim();
}

TEST_CASE("pool: more than the budget is refused with the number of bytes needed") {
  Pool pool(10000);
  auto a = pool.floats(2000);
  size_t needed = 0;
  try {
    pool.floats(1000);
  } catch (const OverBudget& error) {
    needed = error.needed;
    CHECK_EQ(error.code(), "MEMORY_BUDGET");
  }
  // Whole units of 64 bytes.
  CHECK_EQ(needed, 8000 + 4032);
  CHECK_EQ(pool.live_bytes(), 8000);
  a.reset();
  // What is cached makes room for what is asked for.
  auto b = pool.floats(2400);
  CHECK_EQ(pool.live_bytes(), 9600);
  CHECK_LE(pool.peak_bytes(), 10000);
}

TEST_CASE("pool: a block may outlive its pool") {
  std::shared_ptr<float> block;
  {
    Pool pool;
    block = pool.floats(100);
  }
  std::fill(block.get(), block.get() + 100, 1.0f);
  block.reset();
}

TEST_CASE("pool: threads take and give at once") {
  Pool pool;
  std::array<int, 4> overlaps{};
  on_threads(4, [&](int k) {
    Random random(static_cast<uint64_t>(k));
    std::vector<std::pair<std::shared_ptr<double>, int64_t>> held;
    for (int step = 0; step < 300; ++step) {
      const int64_t count = step % 50 == 0 ? 300000 : 1 + random.below(5000);
      held.emplace_back(pool.take<double>(count), count);
      mark(held.back().first.get(), count * sizeof(double), address(held.back().first.get()));
      if (held.size() < 5) continue;
      const size_t which = static_cast<size_t>(random.below(5));
      const auto& [block, size] = held[which];
      if (!marked(block.get(), size * sizeof(double), address(block.get()))) ++overlaps[k];
      held.erase(held.begin() + static_cast<std::ptrdiff_t>(which));
    }
  });
  CHECK_EQ(overlaps, std::array<int, 4>{});
  CHECK_EQ(pool.live_bytes(), 0);
}

TEST_CASE("spare memory: live blocks never overlap, whatever the order") {
  Random random(11);
  std::map<char*, std::pair<size_t, uint64_t>> live;
  for (uint64_t step = 0; step < 400; ++step) {
    if (live.size() < 12 || random.below(2) == 0) {
      const size_t bytes = static_cast<size_t>(1 + random.below(6)) * 2 * kMiB;
      char* data = static_cast<char*>(take_block(bytes));
      REQUIRE_NE(data, nullptr);
      CHECK_EQ(address(data) % (2 * kMiB), 0);
      const auto next = live.lower_bound(data);
      if (next != live.end()) CHECK_LE(data + bytes, next->first);
      if (next != live.begin()) {
        const auto before = std::prev(next);
        CHECK_LE(before->first + before->second.first, data);
      }
      mark(data, bytes, step);
      live[data] = {bytes, step};
    } else {
      auto chosen = live.begin();
      std::advance(chosen, random.below(static_cast<int64_t>(live.size())));
      const auto [bytes, word] = chosen->second;
      CHECK(marked(chosen->first, bytes, word));
      give_block(chosen->first, bytes);
      live.erase(chosen);
    }
  }
  for (const auto& [data, held] : live) give_block(data, held.first);
  release_spare_memory();
}

TEST_CASE("spare memory: neighbours that were given back serve as one block") {
  release_spare_memory();
  const size_t bytes = 4 * kMiB;
  std::vector<char*> blocks;
  for (int k = 0; k < 6; ++k) blocks.push_back(static_cast<char*>(take_block(bytes)));
  for (int k = 1; k < 6; ++k) REQUIRE_EQ(blocks[k], blocks[0] + k * bytes);
  for (const int k : {4, 1, 3, 0, 5, 2}) give_block(blocks[k], bytes);
  char* whole = static_cast<char*>(take_block(6 * bytes));
  CHECK_EQ(whole, blocks[0]);
  give_block(whole, 6 * bytes);
  // Larger than what is spare: the range that ends at fresh space grows into it.
  char* more = static_cast<char*>(take_block(8 * bytes));
  CHECK_EQ(more, blocks[0]);
  give_block(more, 8 * bytes);
  release_spare_memory();
}

TEST_CASE("spare memory: threads take and give at once") {
  std::array<int, 4> overlaps{};
  on_threads(4, [&](int k) {
    Random random(static_cast<uint64_t>(100 + k));
    for (int step = 0; step < 100; ++step) {
      const size_t bytes = static_cast<size_t>(1 + random.below(3)) * 2 * kMiB;
      void* data = take_block(bytes);
      mark(data, bytes, address(data) + static_cast<uint64_t>(k));
      std::this_thread::yield();
      if (!marked(data, bytes, address(data) + static_cast<uint64_t>(k))) ++overlaps[k];
      give_block(data, bytes);
    }
  });
  CHECK_EQ(overlaps, std::array<int, 4>{});
  release_spare_memory();
}

}  // namespace at::test
