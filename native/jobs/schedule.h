#pragma once

#include <optional>

#include "jobs/job.h"

namespace at {
inline namespace AT_PRECISION {

// The order in which blocks of samples are run for a kernel. Blocks of a group of rows are stored
// as long as they fit; what does not fit is streamed past the stored ones, then the next group
// begins. With enough memory every sample is run once.
class Schedule {
 public:
  Schedule(bool symmetric, int64_t samples1, int64_t samples2)
      : symmetric_(symmetric), samples_{samples1, samples2} {}

  // The next block of at most `size` samples; null when all pairs are done.
  std::optional<Want> next(int64_t size) const;
  // Did next() ask for a block that should be stored if it fits?
  bool storing() const { return storing_; }
  // The block of `count` samples was used: kept (it fits) or only streamed.
  // Returns true when the stored blocks should be dropped now.
  bool done(int64_t count, bool kept);

 private:
  bool symmetric_;
  int64_t samples_[2];
  int64_t group_ = 0;   // first sample of the stored group
  int64_t stored_ = 0;  // end of the stored group
  int64_t at_ = 0;      // next sample of the side that is being run
  bool storing_ = true;
};

}  // namespace AT_PRECISION
}  // namespace at
