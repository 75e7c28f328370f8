#include "device/emulated.h"

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <deque>
#include <iterator>
#include <map>
#include <mutex>
#include <type_traits>
#include <vector>

#include "core/blas.h"
#include "core/buffer.h"
#include "core/lapack.h"
#include "core/parallel.h"

#ifdef __linux__
#include <execinfo.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>
#endif

namespace at::device {

EmulatedRange emulated_range;

namespace {

#ifdef __linux__
// Address space, not memory.
constexpr size_t kSpan = size_t{1} << 36;

struct sigaction before;

// Host code that looks into the device's memory ends the process with a sentence; other faults are
// left to whoever had them before.
void on_fault(int, siginfo_t* info, void*) {
  const auto address = reinterpret_cast<uintptr_t>(info->si_addr);
  if (address - emulated_range.begin >= emulated_range.bytes) {
    sigaction(SIGSEGV, &before, nullptr);
    return;
  }
  constexpr char kText[] = "Host code touched the emulated device's memory; download it first\n";
  if (write(STDERR_FILENO, kText, sizeof kText - 1) > 0) {
    void* frames[32];
    backtrace_symbols_fd(frames, backtrace(frames, 32), STDERR_FILENO);
  }
  _exit(99);
}

void map_twice() {
  const int file = memfd_create("emulated-device", MFD_CLOEXEC);
  const bool sized = file >= 0 && ftruncate(file, static_cast<off_t>(kSpan)) == 0;
  const auto map = [&](int rights) {
    return sized ? mmap(nullptr, kSpan, rights, MAP_SHARED | MAP_NORESERVE, file, 0) : MAP_FAILED;
  };
  void* hidden = map(PROT_NONE);
  void* view = map(PROT_READ | PROT_WRITE);
  if (hidden == MAP_FAILED || view == MAP_FAILED)
    throw Error("NO_DEVICE", "The system gives no memory for the emulated device");
  emulated_range = {reinterpret_cast<uintptr_t>(hidden), kSpan,
                    reinterpret_cast<uintptr_t>(view) - reinterpret_cast<uintptr_t>(hidden)};
  // The first call loads a library, which a handler must not.
  void* frame[1];
  backtrace(frame, 1);
}

// Others may have put theirs in its place.
void watch_faults() {
  struct sigaction present;
  sigaction(SIGSEGV, nullptr, &present);
  if (present.sa_sigaction == on_fault) return;
  before = present;
  struct sigaction action = {};
  action.sa_sigaction = on_fault;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK;
  sigaction(SIGSEGV, &action, nullptr);
}

// Whole pages: what others have lies in those at the ends.
void drop_pages(char* view, size_t bytes) {
  const auto page = static_cast<uintptr_t>(sysconf(_SC_PAGESIZE));
  const auto begin = (reinterpret_cast<uintptr_t>(view) + page - 1) / page * page;
  const auto end = (reinterpret_cast<uintptr_t>(view) + bytes) / page * page;
  madvise(reinterpret_cast<void*>(begin), end - begin, MADV_REMOVE);
}
#else
void map_twice() { throw Error("NO_DEVICE", "The emulated device needs Linux"); }
void watch_faults() {}
void drop_pages(char*, size_t) {}
#endif

// The device's memory: what is free, by where it begins.
class Card {
 public:
  static Card& instance() {
    static Card card;
    return card;
  }
  void watch() {
    std::lock_guard<std::mutex> lock(mutex_);
    watch_faults();
  }
  void* take(size_t bytes) {
    std::lock_guard<std::mutex> lock(mutex_);
    const auto fits = [&](const auto& piece) { return piece.second >= bytes; };
    const auto found = std::find_if(free_.begin(), free_.end(), fits);
    if (found == free_.end()) throw OverBudget(bytes, emulated_range.bytes);
    const auto [begin, size] = *found;
    free_.erase(found);
    if (size > bytes) free_[begin + bytes] = size - bytes;
    char* address = reinterpret_cast<char*>(emulated_range.begin + begin);
    poison(address, bytes);
    return address;
  }
  void give(void* address, size_t bytes) {
    std::lock_guard<std::mutex> lock(mutex_);
    const size_t begin = reinterpret_cast<uintptr_t>(address) - emulated_range.begin;
    // Large memory goes back to the system, whose pages hold zeros: it is not used before it is
    // taken again.
    constexpr size_t kLarge = size_t{4} << 20;
    if (bytes >= kLarge) {
      drop_pages(view(address), bytes);
    } else {
      poison(address, bytes);
    }
    auto here = free_.emplace(begin, bytes).first;
    const auto next = std::next(here);
    if (next != free_.end() && next->first == begin + bytes) {
      here->second += next->second;
      free_.erase(next);
    }
    if (here == free_.begin()) return;
    const auto last = std::prev(here);
    if (last->first + last->second != begin) return;
    last->second += here->second;
    free_.erase(here);
  }
  static char* view(void* address) {
    return Ref<char>(Pointer<char>(static_cast<char*>(address))).get();
  }

 private:
  Card() {
    map_twice();
    free_[0] = emulated_range.bytes;
  }
  // Bytes of ones are NaN in every type of float.
  static void poison(void* address, size_t bytes) { std::memset(view(address), 0xff, bytes); }

  std::mutex mutex_;
  std::map<size_t, size_t> free_;
};

// A matrix of the device's memory in double, as LAPACK is called here whatever its precision.
template <class T>
class Wide {
 public:
  Wide(const Pointer<T>& at, int64_t rows, int64_t columns, int64_t stride)
      : at_(Ref<T>(at).get()), rows_(rows), columns_(columns), stride_(stride) {
    for (int64_t i = 0; i < rows; ++i)
      numbers_.insert(numbers_.end(), at_ + i * stride, at_ + i * stride + columns);
  }
  double* data() { return numbers_.data(); }
  const double* data() const { return numbers_.data(); }
  void put_back() {
    for (int64_t i = 0; i < rows_; ++i)
      for (int64_t j = 0; j < columns_; ++j)
        at_[i * stride_ + j] = static_cast<T>(numbers_[i * columns_ + j]);
  }

 private:
  T* at_;
  int64_t rows_, columns_, stride_;
  std::vector<double> numbers_;
};

// The numbers of a product's factor, strides and all, as its precision has them.
template <class T>
class Factor {
 public:
  Factor(const Pointer<const T>& at, int64_t numbers, Precision precision)
      : data_(Ref<const T>(at).get()) {
    if constexpr (std::is_same_v<T, float>) {
      if (precision != Precision::kTf32) return;
      rounded_.resize(static_cast<size_t>(numbers));
      std::transform(data_, data_ + numbers, rounded_.begin(), rounded_to_tf32);
      data_ = rounded_.data();
    }
  }
  const T* data() const { return data_; }

 private:
  const T* data_;
  std::vector<T> rounded_;
};

class EmulatedStream final : public Stream {
 public:
  explicit EmulatedStream(size_t limit) : Stream(limit) { Card::instance().watch(); }
  ~EmulatedStream() override { abandon(); }

  void synchronise() override { wait(asked_); }
  Mark mark() override { return asked_; }
  // What is brought arrives as late as it may.
  void wait(Mark mark) override {
    while (asked_ - static_cast<Mark>(queue_.size()) < mark) {
      const std::function<void()> work = std::move(queue_.front());
      queue_.pop_front();
      work();
    }
    for (; !brought_.empty() && brought_.front().mark <= mark; brought_.pop_front()) {
      const Brought& b = brought_.front();
      std::memcpy(b.to, Card::view(const_cast<void*>(b.from)), b.bytes);
    }
  }
  void abandon() noexcept final {
    for (const Freed& freed : freed_) Card::instance().give(freed.memory, freed.bytes);
    freed_.clear();
    queue_.clear();
    brought_.clear();
  }
  void enqueue(std::function<void()> work) override {
    queue_.push_back(std::move(work));
    ++asked_;
  }

 protected:
  void* allocate(size_t bytes) override { return Card::instance().take(bytes); }
  // What was asked for before may still use it.
  void release(void* memory, size_t bytes) noexcept override {
    if (queue_.empty()) return Card::instance().give(memory, bytes);
    freed_.push_back({memory, bytes});
    enqueue([this] {
      Card::instance().give(freed_.front().memory, freed_.front().bytes);
      freed_.pop_front();
    });
  }
  void copy_down(void* to, const void* from, size_t bytes) override {
    enqueue([=] { std::memcpy(to, Card::view(const_cast<void*>(from)), bytes); });
  }
  void copy_ahead(void* to, const void* from, size_t bytes) override {
    const char* first = static_cast<const char*>(from);
    enqueue([to, own = std::vector<char>(first, first + bytes)] {
      std::memcpy(Card::view(to), own.data(), own.size());
    });
  }
  void copy_back(void* to, const void* from, size_t bytes) override {
    brought_.push_back({asked_, to, from, bytes});
  }
  void run(const Product<float>& product) override { multiply_later(product); }
  void run(const Product<double>& product) override { multiply_later(product); }
  void run(const Gram<float>& gram) override { gram_later(gram); }
  void run(const Gram<double>& gram) override { gram_later(gram); }
  void run(const SymmetricProduct<float>& product) override { symmetric_later(product); }
  void run(const SymmetricProduct<double>& product) override { symmetric_later(product); }
  void run(const LowerSolve<float>& solve) override { solve_later(solve); }
  void run(const LowerSolve<double>& solve) override { solve_later(solve); }
  void run(const Eigen<float>& e) override { eigen_now(e); }
  void run(const Eigen<double>& e) override { eigen_now(e); }
  void run(const WideSvd<float>& d) override { svd_now(d); }
  void run(const WideSvd<double>& d) override { svd_now(d); }
  int64_t factorise(int64_t n, const Pointer<float>& a, int64_t lda) override {
    return cholesky_now(n, a, lda);
  }
  int64_t factorise(int64_t n, const Pointer<double>& a, int64_t lda) override {
    return cholesky_now(n, a, lda);
  }

 private:
  struct Freed {
    void* memory;
    size_t bytes;
  };
  struct Brought {
    Mark mark;
    void* to;
    const void* from;
    size_t bytes;
  };
  static int64_t extent(int64_t rows, int64_t cols, int64_t stride, int64_t batch, int64_t step) {
    return rows > 0 && cols > 0 ? (batch - 1) * step + (rows - 1) * stride + cols : 0;
  }
  template <class T>
  void multiply_later(const Product<T>& p) {
    enqueue([p, precision = precision()] {
      const Factor<T> left(
          p.a, extent(p.trans_a ? p.k : p.m, p.trans_a ? p.m : p.k, p.lda, p.batch, p.step_a),
          precision);
      const Factor<T> right(
          p.b, extent(p.trans_b ? p.n : p.k, p.trans_b ? p.k : p.n, p.ldb, p.batch, p.step_b),
          precision);
      const T *a = left.data(), *b = right.data();
      T* c = Ref<T>(p.c).get();
      if (p.batch == 1)
        return blas::parallel_gemm(p.trans_a, p.trans_b, p.m, p.n, p.k, p.alpha, a, p.lda, b, p.ldb,
                                   p.beta, c, p.ldc);
      parallel_for(p.batch, grain_for(p.m * p.n * p.k / 16), [&](int64_t first, int64_t last) {
        for (int64_t i = first; i < last; ++i)
          blas::gemm(p.trans_a, p.trans_b, p.m, p.n, p.k, p.alpha, a + i * p.step_a, p.lda,
                     b + i * p.step_b, p.ldb, p.beta, c + i * p.step_c, p.ldc);
      });
    });
  }
  template <class T>
  void gram_later(const Gram<T>& g) {
    enqueue([g, precision = precision()] {
      const Factor<T> a(g.a, extent(g.m, g.k, g.lda, 1, 0), precision);
      blas::gram(g.m, g.k, g.alpha, a.data(), g.lda, g.beta, Ref<T>(g.c).get(), g.ldc);
    });
  }
  template <class T>
  void symmetric_later(const SymmetricProduct<T>& p) {
    enqueue([p] {
      const T *a = Ref<const T>(p.a).get(), *b = Ref<const T>(p.b).get();
      std::vector<T> whole(static_cast<size_t>(p.n * p.n));
      for (int64_t i = 0; i < p.n; ++i)
        for (int64_t j = 0; j < p.n; ++j)
          whole[i * p.n + j] = a[std::min(i, j) * p.lda + std::max(i, j)];
      blas::parallel_gemm(false, false, p.n, p.columns, p.n, p.alpha, whole.data(), p.n, b, p.ldb,
                          p.beta, Ref<T>(p.c).get(), p.ldc);
    });
  }
  template <class T>
  void solve_later(const LowerSolve<T>& s) {
    enqueue([s] {
      const Wide<const T> l(s.l, s.n, s.n, s.ldl);
      Wide<T> x(s.x, s.n, s.columns, s.ldx);
      lapack::solve_lower(s.transposed, s.n, s.columns, l.data(), s.n, x.data(), s.columns);
      x.put_back();
    });
  }
  template <class T>
  int64_t cholesky_now(int64_t n, const Pointer<T>& a, int64_t lda) {
    synchronise();
    Wide<T> wide(a, n, n, lda);
    const int64_t minor = lapack::cholesky(n, wide.data(), n);
    wide.put_back();
    return minor;
  }
  template <class T>
  void eigen_now(const Eigen<T>& e) {
    synchronise();
    Wide<T> a(e.a, e.n, e.n, e.n), values(e.values, 1, e.n, e.n);
    lapack::eigen(e.vectors, e.n, a.data(), values.data());
    a.put_back();
    values.put_back();
  }
  template <class T>
  void svd_now(const WideSvd<T>& d) {
    synchronise();
    Wide<T> a(d.a, d.m, d.n, d.n), u(d.u, d.m, d.m, d.m), s(d.s, 1, d.m, d.m),
        vt(d.vt, d.m, d.n, d.n);
    lapack::svd(d.m, d.n, a.data(), u.data(), s.data(), vt.data());
    for (Wide<T>* each : {&a, &u, &s, &vt}) each->put_back();
  }

  std::deque<std::function<void()>> queue_;
  std::deque<Freed> freed_;  // in the order of the queue
  std::deque<Brought> brought_;
  Mark asked_ = 0;
};

}  // namespace

std::shared_ptr<Stream> open_emulated(size_t limit) {
  return std::make_shared<EmulatedStream>(limit);
}

}  // namespace at::device
