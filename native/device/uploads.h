#pragma once

#include <memory>
#include <utility>
#include <vector>

#include "device/stream.h"

namespace at::device {

// Numbers of the host on their way to a device: kept until the stream is waited for.
class Uploads {
 public:
  explicit Uploads(Stream& stream) : stream_(stream) {}
  // After an error what is still on its way is forgotten before it is gone.
  ~Uploads() {
    if (!held_.empty()) stream_.abandon();
  }
  Uploads(const Uploads&) = delete;
  Uploads& operator=(const Uploads&) = delete;

  template <class T>
  Buffer<T> send(std::vector<T> numbers) {
    const auto count = static_cast<int64_t>(numbers.size());
    auto held = std::make_shared<const std::vector<T>>(std::move(numbers));
    auto to = stream_.take<T>(count);
    stream_.upload(to.at(), held->data(), count);
    held_.push_back(std::move(held));
    return to;
  }
  // Waits for the stream.
  void settle() {
    stream_.synchronise();
    held_.clear();
  }

 private:
  Stream& stream_;
  std::vector<std::shared_ptr<const void>> held_;
};

// Numbers on a device, waited for.
template <class T>
Buffer<T> sent(Stream& stream, std::vector<T> numbers) {
  Uploads uploads(stream);
  auto to = uploads.send(std::move(numbers));
  uploads.settle();
  return to;
}

// Numbers of a device, waited for.
template <class T>
std::vector<T> fetch(Stream& stream, const Pointer<const T>& from, int64_t count) {
  std::vector<T> numbers(static_cast<size_t>(count));
  stream.download(numbers.data(), from, count);
  stream.synchronise();
  return numbers;
}

}  // namespace at::device
