#pragma once

#include <tbb/blocked_range.h>
#include <tbb/info.h>
#include <tbb/parallel_for.h>
#include <tbb/task_arena.h>

#include <algorithm>
#include <cstdint>
#include <utility>

#ifdef __SANITIZE_THREAD__
extern "C" void __tsan_acquire(void*);
extern "C" void __tsan_release(void*);
#endif

namespace at {

// ThreadSanitizer does not see how TBB's library hands work to threads. Where it watches, it is
// told here what TBB promises: work starts after what came before it, and its caller goes on after
// it.
class Handover {
 public:
#ifdef __SANITIZE_THREAD__
  Handover() { __tsan_release(&begin_); }
  ~Handover() { __tsan_acquire(&end_); }
  template <class Work>
  auto run(Work&& work) {
    struct Release {
      char* end;
      ~Release() { __tsan_release(end); }
    } release{&end_};
    __tsan_acquire(&begin_);
    return work();
  }

 private:
  char begin_ = 0, end_ = 0;
#else
  template <class Work>
  auto run(Work&& work) {
    return work();
  }
#endif
};

// TBB keeps copies of a loop's body in memory that it uses again unseen.
#ifdef __SANITIZE_THREAD__
#define AT_UNWATCHED __attribute__((no_sanitize("thread")))
#else
#define AT_UNWATCHED
#endif

// Runs `work` with at most `threads` threads for every parallel loop inside it (0: all cores). More
// than the machine has are of no use, and TBB would complain on stderr.
template <class Work>
auto with_threads(int threads, Work&& work) {
  const int cores = tbb::info::default_concurrency();
  tbb::task_arena arena(threads > 0 ? std::min(threads, cores) : cores);
  Handover handover;
  return arena.execute([&]() AT_UNWATCHED { return handover.run(work); });
}

// Threads that a parallel loop here may use.
inline int64_t concurrency() { return tbb::this_task_arena::max_concurrency(); }

// body(first, last) over pieces of [0, count) of about `grain` items; the first exception of a
// piece is rethrown here after the others have stopped.
template <class Body>
void parallel_for(int64_t count, int64_t grain, const Body& body) {
  if (count <= 0) return;
  if (grain < 1) grain = 1;
  if (count <= grain) {
    body(int64_t{0}, count);
    return;
  }
  Handover handover;
  tbb::parallel_for(tbb::blocked_range<int64_t>(0, count, static_cast<size_t>(grain)),
                    [&](const tbb::blocked_range<int64_t>& r) AT_UNWATCHED {
                      const int64_t first = r.begin(), last = r.end();
                      handover.run([&] { body(first, last); });
                    });
}

// Items per piece so that a piece moves about 64 Ki elements when an item holds `elements`.
inline int64_t grain_for(int64_t elements) {
  return elements > 0 ? (int64_t{65536} + elements - 1) / elements : 65536;
}

}  // namespace at
