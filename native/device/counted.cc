#include "device/counted.h"

#include <cstring>

namespace at::device {

namespace {

class CountedStream final : public Stream {
 public:
  using Stream::Stream;
  void synchronise() override {}
  Mark mark() override { return 0; }
  void wait(Mark) override {}
  void abandon() noexcept override {}
  void enqueue(std::function<void()>) override {}

 protected:
  // Addresses that nobody has memory at, none twice.
  void* allocate(size_t bytes) override {
    void* address = reinterpret_cast<void*>(next_);
    next_ += bytes;
    return address;
  }
  void release(void*, size_t) noexcept override {}
  void copy_down(void* to, const void*, size_t bytes) override { std::memset(to, 0, bytes); }
  void copy_ahead(void*, const void*, size_t) override {}
  void copy_back(void* to, const void*, size_t bytes) override { std::memset(to, 0, bytes); }
  void run(const Product<float>&) override {}
  void run(const Product<double>&) override {}
  void run(const Gram<float>&) override {}
  void run(const Gram<double>&) override {}
  void run(const SymmetricProduct<float>&) override {}
  void run(const SymmetricProduct<double>&) override {}
  void run(const LowerSolve<float>&) override {}
  void run(const LowerSolve<double>&) override {}
  void run(const Eigen<float>&) override {}
  void run(const Eigen<double>&) override {}
  void run(const WideSvd<float>&) override {}
  void run(const WideSvd<double>&) override {}
  int64_t factorise(int64_t, const Pointer<float>&, int64_t) override { return 0; }
  int64_t factorise(int64_t, const Pointer<double>&, int64_t) override { return 0; }

 private:
  uintptr_t next_ = uintptr_t{1} << 46;
};

}  // namespace

std::shared_ptr<Stream> open_counted(size_t limit) {
  return std::make_shared<CountedStream>(limit);
}

}  // namespace at::device
