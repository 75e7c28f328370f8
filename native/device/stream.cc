#include "device/stream.h"

#include <algorithm>

#include "core/buffer.h"

namespace at::device {

std::shared_ptr<void> Stream::memory(int64_t count, bool ahead) {
  // As the devices' allocators align.
  constexpr size_t kUnit = 256;
  const size_t bytes = (static_cast<size_t>(count) + kUnit - 1) / kUnit * kUnit;
  if (bytes > limit_ || live_ > limit_ - bytes) throw OverBudget(live_ + bytes, limit_);
  void* made = ahead ? allocate_ahead(bytes) : allocate(bytes);
  live_ += bytes;
  counts_.most_bytes = std::max(counts_.most_bytes, static_cast<int64_t>(live_));
  return std::shared_ptr<void>(made, [stream = shared_from_this(), bytes](void* memory) {
    stream->live_ -= bytes;
    stream->release(memory, bytes);
  });
}

void Stream::arrive() {
  try {
    synchronise();
  } catch (...) {
    abandon();
    throw;
  }
}

namespace {

// The first rows and columns of a product, alone: what they are taken from, and how many.
Product<float> part_of(const Product<float>& whole, const Pointer<float>& to) {
  Product<float> part = whole;
  part.m = std::min(whole.m, ProductSample::kSide);
  part.n = std::min(whole.n, ProductSample::kSide);
  part.c = to, part.ldc = part.n;
  part.alpha = 1, part.beta = 0;
  part.batch = 1;
  return part;
}

Gram<float> part_of(const Gram<float>& whole, const Pointer<float>& to) {
  Gram<float> part = whole;
  part.m = std::min(whole.m, ProductSample::kSide);
  part.c = to, part.ldc = part.m;
  part.alpha = 1, part.beta = 0;
  return part;
}

int64_t numbers_of(const Product<float>& part) { return part.m * part.n; }
int64_t numbers_of(const Gram<float>& part) { return part.m * part.m; }

}  // namespace

template <class Work>
void Stream::sample(const Work& work) {
  if (precision_ != Precision::kTf32 || !sample_.takes_next()) return;
  const int64_t count = numbers_of(part_of(work, {}));
  const size_t bytes = static_cast<size_t>(count) * sizeof(float);
  // Of a Gram matrix the upper triangle is nobody's: zeros.
  const auto zeros = [&, none = std::vector<float>(static_cast<size_t>(count), 0.0f)] {
    const Buffer<float> to(memory(static_cast<int64_t>(bytes), true), count);
    copy_ahead(to.at().address(), none.data(), bytes);
    return to;
  };
  const Buffer<float> c = zeros(), d = zeros();
  ProductSample::Part& part = sample_.add(count);
  const auto compute = [&](const Buffer<float>& on_device, std::vector<float>& to) {
    run(part_of(work, on_device.at()));
    copy_down(to.data(), on_device.at().address(), bytes);
  };
  compute(c, part.tf32);
  precision_ = Precision::kFloat32;
  compute(d, part.float32);
  precision_ = Precision::kTf32;
}

template void Stream::sample(const Product<float>&);
template void Stream::sample(const Gram<float>&);

}  // namespace at::device
