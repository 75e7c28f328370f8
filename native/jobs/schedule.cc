#include "jobs/schedule.h"

#include <algorithm>

namespace at {
inline namespace AT_PRECISION {

std::optional<Want> Schedule::next(int64_t size) const {
  if (group_ >= samples_[0]) return std::nullopt;
  const int side = storing_ || symmetric_ ? 0 : 1;
  return Want{side, at_, std::min(std::max<int64_t>(size, 1), samples_[side] - at_)};
}

bool Schedule::done(int64_t count, bool kept) {
  at_ += count;
  if (storing_ && kept) {
    stored_ = at_;
    if (stored_ < samples_[0]) return false;
    if (symmetric_) {
      group_ = stored_;
      return true;
    }
    storing_ = false;
    at_ = 0;
    return false;
  }
  if (storing_) {
    // It did not fit. In a symmetric kernel it has met the stored blocks and goes on streaming;
    // otherwise X2 starts.
    storing_ = false;
    if (!symmetric_) {
      at_ = 0;
      return false;
    }
  }
  if (at_ < samples_[symmetric_ ? 0 : 1]) return false;
  group_ = at_ = stored_;
  storing_ = true;
  return true;
}

}  // namespace AT_PRECISION
}  // namespace at
