// Loops over threads, and the flags and counts that a computation shares with its caller.
#include "core/parallel.h"

#include <array>
#include <atomic>
#include <stdexcept>

#include "core/control.h"
#include "core/reserve.h"
#include "support.h"

namespace at::test {

TEST_CASE("parallel: every item once, whatever the count, the grain and the threads") {
  for (const int threads : {0, 1, 2}) {
    for (const int64_t count : {int64_t{0}, int64_t{1}, int64_t{7}, int64_t{1000}}) {
      for (const int64_t grain : {int64_t{-1}, int64_t{1}, int64_t{13}, int64_t{5000}}) {
        std::vector<int> seen(static_cast<size_t>(count));
        with_threads(threads, [&] {
          parallel_for(count, grain, [&](int64_t first, int64_t last) {
            for (int64_t i = first; i < last; ++i) ++seen[static_cast<size_t>(i)];
          });
        });
        CHECK_EQ(seen, std::vector<int>(static_cast<size_t>(count), 1));
      }
    }
  }
}

TEST_CASE("parallel: no more threads at once than were asked for") {
  std::atomic<int> running{0}, most{0};
  with_threads(1, [&] {
    CHECK_EQ(concurrency(), 1);
    parallel_for(64, 1, [&](int64_t, int64_t) {
      most = std::max(most.load(), ++running);
      --running;
    });
  });
  CHECK_EQ(most, 1);
  with_threads(0, [] { CHECK_EQ(concurrency(), tbb::info::default_concurrency()); });
}

TEST_CASE("parallel: with_threads returns what the work returns") {
  CHECK_EQ(with_threads(2, [] { return std::string("done"); }), "done");
}

TEST_CASE("parallel: the exception of a piece arrives, and later loops work") {
  for (int round = 0; round < 20; ++round) {
    CHECK_EQ(code_of([] {
               parallel_for(100, 1, [](int64_t first, int64_t) {
                 if (first == 37) throw Error("NUMERICAL", "piece 37");
               });
             }),
             "NUMERICAL");
  }
  std::atomic<int64_t> sum{0};
  parallel_for(100, 1, [&](int64_t first, int64_t last) {
    for (int64_t i = first; i < last; ++i) sum += i;
  });
  CHECK_EQ(sum, 4950);
}

TEST_CASE("parallel: loops inside loops") {
  std::vector<int64_t> sums(50);
  with_threads(0, [&] {
    parallel_for(50, 1, [&](int64_t first, int64_t last) {
      for (int64_t i = first; i < last; ++i) {
        std::vector<int64_t> parts(20);
        parallel_for(20, 1, [&](int64_t begin, int64_t end) {
          for (int64_t j = begin; j < end; ++j) parts[static_cast<size_t>(j)] = i * j;
        });
        for (const int64_t part : parts) sums[static_cast<size_t>(i)] += part;
      }
    });
  });
  for (int64_t i = 0; i < 50; ++i) CHECK_EQ(sums[static_cast<size_t>(i)], 190 * i);
}

TEST_CASE("parallel: grains move about 64 Ki elements") {
  CHECK_EQ(grain_for(0), 65536);
  CHECK_EQ(grain_for(1), 65536);
  CHECK_EQ(grain_for(1000), 66);
  CHECK_EQ(grain_for(1 << 20), 1);
}

TEST_CASE("control: stops, and counts the work of all threads") {
  std::array<std::atomic<int64_t>, 3> cells{};
  const Control control(cells.data());
  control.expect(1000);
  parallel_for(1000, 1, [&](int64_t first, int64_t last) { control.advance(last - first); });
  CHECK_EQ(cells[1], 1000);
  CHECK_EQ(cells[2], 1000);
  control.poll();
  cells[0] = 1;
  CHECK(control.stopped());
  CHECK_EQ(code_of([&] { parallel_for(100, 1, [&](int64_t, int64_t) { control.poll(); }); }),
           "ABORTED");
  const Control nobody;
  nobody.expect(1);
  nobody.advance(1);
  nobody.poll();
  CHECK_FALSE(nobody.stopped());
}

TEST_CASE("reserve: room for the threads of BLAS, as often as one asks") {
  reserve_for_threads(1);
  reserve_for_threads(0);
  reserve_for_threads(1000);
}

}  // namespace at::test
