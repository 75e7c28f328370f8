#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <utility>

#include "device/stream.h"

namespace at::device {

// What the host does with numbers that a device brings, in the order in which it was asked for,
// while the device goes on.
class Pending {
 public:
  explicit Pending(std::shared_ptr<Stream> stream) : stream_(std::move(stream)) {}
  Pending(const Pending&) = delete;
  Pending& operator=(const Pending&) = delete;

  // `work` follows when all is done that was asked for up to now; numbers that are brought for it
  // stay until then.
  template <class T>
  void then(std::function<void()> work, const Buffer<T>& brought) {
    waiting_.push_back({stream_->mark(), std::move(work), brought.held(), brought.bytes()});
    bytes_ += brought.bytes();
  }
  // Numbers are on their way to where they belong. Waits until what is brought takes not more than
  // `most` bytes there.
  template <class T>
  void hold(const Buffer<T>& brought, int64_t most) {
    then([] {}, brought);
    while (bytes_ > most && waiting_.size() > 1) next();
  }
  // Does what waits, but for the last `most` of it.
  void settle(size_t most = 0) {
    while (waiting_.size() > most) next();
  }
  // The same for what waits for no later place.
  void settle_until(Mark mark) {
    while (!waiting_.empty() && waiting_.front().mark <= mark) next();
  }
  void forget() {
    waiting_.clear();
    bytes_ = 0;
  }

 private:
  struct Work {
    Mark mark;
    std::function<void()> work;
    std::shared_ptr<const void> brought;
    int64_t bytes;
  };
  void next() {
    const Work first = std::move(waiting_.front());
    waiting_.pop_front();
    bytes_ -= first.bytes;
    stream_->wait(first.mark);
    first.work();
  }

  std::shared_ptr<Stream> stream_;
  std::deque<Work> waiting_;
  int64_t bytes_ = 0;  // of what is brought for it
};

}  // namespace at::device
