// All that nvcc compiles. One file: what two would share would be embedded twice.
#include <algorithm>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "core/buffer.h"
#include "core/error.h"
#include "device/cuda/cuda.h"
#include "device/cuda/lane.h"
#include "device/cuda/launches.h"
#include "device/driver.h"
#include "device/functions/list.h"

namespace at::device {

#define AT_INSTANTIATE(...) \
  template void cuda_for_rows(void*, int64_t, int64_t, const __VA_ARGS__&);
AT_FOR_ROWS(AT_INSTANTIATE, float)
AT_FOR_ROWS(AT_INSTANTIATE, double)
#undef AT_INSTANTIATE
#define AT_INSTANTIATE(...) \
  template void cuda_sum_rows(void*, int64_t, int64_t, const __VA_ARGS__&);
AT_SUM_ROWS(AT_INSTANTIATE, float)
AT_SUM_ROWS(AT_INSTANTIATE, double)
#undef AT_INSTANTIATE
#define AT_INSTANTIATE(...) \
  template void cuda_max_rows(void*, int64_t, int64_t, const __VA_ARGS__&);
AT_MAX_ROWS(AT_INSTANTIATE, float)
AT_MAX_ROWS(AT_INSTANTIATE, double)
#undef AT_INSTANTIATE
#define AT_INSTANTIATE(...) \
  template void cuda_scan_rows(void*, int64_t, int64_t, const __VA_ARGS__&);
AT_SCAN_ROWS(AT_INSTANTIATE, float)
AT_SCAN_ROWS(AT_INSTANTIATE, double)
#undef AT_INSTANTIATE

namespace cuda {

namespace {

// What a card has free, and what this process holds of it and does not use.
size_t available_memory(int card) {
  size_t available = 0, total = 0;
  check(cudaMemGetInfo(&available, &total), "cudaMemGetInfo");
  cudaMemPool_t pool = nullptr;
  check(cudaDeviceGetDefaultMemPool(&pool, card), "cudaDeviceGetDefaultMemPool");
  uint64_t reserved = 0, used = 0;
  check(cudaMemPoolGetAttribute(pool, cudaMemPoolAttrReservedMemCurrent, &reserved), "a pool");
  check(cudaMemPoolGetAttribute(pool, cudaMemPoolAttrUsedMemCurrent, &used), "a pool");
  return available + static_cast<size_t>(reserved - std::min(used, reserved));
}

// What is given back stays with the process (Lanes::give()): a card is slow to take it again.
void keep_memory(int card) {
  cudaMemPool_t pool = nullptr;
  check(cudaDeviceGetDefaultMemPool(&pool, card), "cudaDeviceGetDefaultMemPool");
  uint64_t all = UINT64_MAX;
  check(cudaMemPoolSetAttribute(pool, cudaMemPoolAttrReleaseThreshold, &all), "a pool");
}

template <class T>
constexpr int kType = sizeof(T) == sizeof(float) ? kFloat : kDouble;

// Row-major matrices are the transposes of what these libraries see.
class CudaStream final : public Stream {
 public:
  CudaStream(int card, size_t limit)
      : Stream(limit), lane_(Lanes::instance().take(card)), stream_(lane_->stream) {}
  ~CudaStream() override {
    for (const Marked& each : marked_) lane_->events.push_back(each.event);
    Lanes::instance().give(std::move(lane_));
  }

  void synchronise() override {
    enter();
    settle(marks_);
    check(cudaStreamSynchronize(stream_), "a stream");
    forget(marks_);
  }
  Mark mark() override {
    enter();
    const cudaEvent_t event = lane_->take_event();
    marked_.push_back({++marks_, event});
    check(cudaEventRecord(event, stream_), "an event");
    return marks_;
  }
  void wait(Mark mark) override {
    enter();
    settle(mark);
    cudaEvent_t last = nullptr;
    for (const Marked& each : marked_)
      if (each.mark <= mark) last = each.event;
    if (last) check(cudaEventSynchronize(last), "a stream");
    forget(mark);
  }
  void abandon() noexcept override {
    cudaSetDevice(lane_->card);
    falling_.clear();
    lane_->idle();
    cudaGetLastError();
  }
  void* cuda() const override {
    enter();
    return stream_;
  }
  void enqueue(std::function<void()>) override {
    throw std::logic_error("host code on a card's stream");
  }

 protected:
  void* allocate(size_t bytes) override { return allocate_on(stream_, bytes); }
  // In the copies' own order: what the work before still uses is not given to them.
  void* allocate_ahead(size_t bytes) override { return allocate_on(lane_->rising, bytes); }
  void release(void* memory, size_t) noexcept override {
    cudaSetDevice(lane_->card);
    cudaFreeAsync(memory, stream_);
  }
  void copy_ahead(void* to, const void* from, size_t bytes) override {
    enter();
    lane_->up.up(lane_->rising, static_cast<char*>(to), static_cast<const char*>(from), bytes);
    check(cudaEventRecord(lane_->sent, lane_->rising), "an event");
    check(cudaStreamWaitEvent(stream_, lane_->sent), "an event");
  }
  void copy_back(void* to, const void* from, size_t bytes) override {
    enter();
    falling_.push_back({static_cast<char*>(to), static_cast<const char*>(from), bytes, mark()});
  }
  void copy_down(void* to, const void* from, size_t bytes) override {
    enter();
    check(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToHost, stream_), "a copy");
  }
  void run(const Product<float>& p) override { multiply_with(lib_.gemm_float, p); }
  void run(const Product<double>& p) override { multiply_with(lib_.gemm_double, p); }
  void run(const Gram<float>& g) override { gram_with(lib_.syrk_float, g); }
  void run(const Gram<double>& g) override { gram_with(lib_.syrk_double, g); }

  void run(const SymmetricProduct<float>& p) override { symmetric_with(lib_.symm_float, p); }
  void run(const SymmetricProduct<double>& p) override { symmetric_with(lib_.symm_double, p); }
  void run(const LowerSolve<float>& s) override { solve_with(lib_.trsm_float, s); }
  void run(const LowerSolve<double>& s) override { solve_with(lib_.trsm_double, s); }
  void run(const Eigen<float>& e) override { eigen_of(e); }
  void run(const Eigen<double>& e) override { eigen_of(e); }
  void run(const WideSvd<float>& d) override { svd_of(d); }
  void run(const WideSvd<double>& d) override { svd_of(d); }
  int64_t factorise(int64_t n, const Pointer<float>& a, int64_t lda) override {
    return cholesky_of(n, a, lda);
  }
  int64_t factorise(int64_t n, const Pointer<double>& a, int64_t lda) override {
    return cholesky_of(n, a, lda);
  }

 private:
  struct Marked {
    Mark mark;
    cudaEvent_t event;
  };
  struct Falling {
    char* to;
    const char* from;
    size_t bytes;
    Mark mark;  // when the numbers are there
  };

  void enter() const { check(cudaSetDevice(lane_->card), "cudaSetDevice"); }
  void* allocate_on(cudaStream_t stream, size_t bytes) {
    enter();
    void* memory = nullptr;
    const cudaError_t error = cudaMallocAsync(&memory, bytes, stream);
    if (error == cudaErrorMemoryAllocation) {
      cudaGetLastError();
      throw OverBudget(bytes, available_memory(lane_->card));
    }
    check(error, "cudaMallocAsync");
    return memory;
  }
  // Writes what was brought up to a mark, while the work after it goes on.
  void settle(Mark mark) {
    for (; !falling_.empty() && falling_.front().mark <= mark; falling_.pop_front()) {
      const Falling& each = falling_.front();
      for (const Marked& m : marked_)
        if (m.mark == each.mark) check(cudaStreamWaitEvent(lane_->falling, m.event), "an event");
      lane_->down.down(lane_->falling, each.to, each.from, each.bytes);
    }
  }
  void forget(Mark mark) {
    for (; !marked_.empty() && marked_.front().mark <= mark; marked_.pop_front())
      lane_->events.push_back(marked_.front().event);
  }
  void set_math() { lane_->set_math(precision() == Precision::kTf32 ? kTf32Math : kDefaultMath); }
  template <class T>
  void multiply_with(BatchedGemm<T> gemm, const Product<T>& p) {
    enter();
    set_math();
    const auto least = [](int64_t stride) { return std::max<int64_t>(stride, 1); };
    check_library(gemm(lane_->blas, p.trans_b ? kTranspose : kNoTranspose,
                       p.trans_a ? kTranspose : kNoTranspose, p.n, p.m, p.k, &p.alpha,
                       p.b.address(), least(p.ldb), p.step_b, p.a.address(), least(p.lda), p.step_a,
                       &p.beta, p.c.address(), least(p.ldc), p.step_c, p.batch),
                  "a product of cuBLAS");
  }
  template <class T>
  void gram_with(Syrk<T> syrk, const Gram<T>& g) {
    enter();
    set_math();
    check_library(
        syrk(lane_->blas, kUpper, kTranspose, g.m, g.k, &g.alpha, g.a.address(),
             std::max<int64_t>(g.lda, 1), &g.beta, g.c.address(), std::max<int64_t>(g.ldc, 1)),
        "a Gram matrix of cuBLAS");
  }

  template <class T>
  void symmetric_with(Symm<T> symm, const SymmetricProduct<T>& p) {
    enter();
    check_library(symm(lane_->blas, kRight, kLower, p.columns, p.n, &p.alpha, p.a.address(), p.lda,
                       p.b.address(), p.ldb, &p.beta, p.c.address(), p.ldc),
                  "a symmetric product of cuBLAS");
  }
  template <class T>
  void solve_with(Trsm<T> trsm, const LowerSolve<T>& s) {
    enter();
    const T one = 1;
    check_library(trsm(lane_->blas, kRight, kUpper, s.transposed ? kTranspose : kNoTranspose,
                       kNonUnit, s.columns, s.n, &one, s.l.address(), s.ldl, s.x.address(), s.ldx),
                  "a triangular solve of cuBLAS");
  }

  // One call of cuSOLVER: `sizes` asks for its workspaces, `work` runs with them. What it says of
  // the outcome, which is waited for.
  template <class Sizes, class Work>
  int solved(const char* name, const Sizes& sizes, const Work& work) {
    enter();
    lane_->open_solver();
    size_t device_bytes = 0, host_bytes = 0;
    check_library(sizes(&device_bytes, &host_bytes), name);
    const Buffer<char> scratch = take<char>(static_cast<int64_t>(device_bytes));
    const Buffer<int> info = take<int>(1);
    std::vector<char> host(host_bytes);
    check_library(
        work(scratch.at().address(), device_bytes, host.data(), host_bytes, info.at().address()),
        name);
    int outcome = 0;
    copy_down(&outcome, info.at().address(), sizeof outcome);
    synchronise();
    if (outcome < 0) throw std::logic_error(std::string(name) + " was called wrongly");
    return outcome;
  }
  template <class Sizes, class Work>
  void converged(const char* name, const Sizes& sizes, const Work& work) {
    const int outcome = solved(name, sizes, work);
    if (outcome == 0) return;
    throw Error("NUMERICAL",
                std::string(name) + " did not converge (info " + std::to_string(outcome) + ")");
  }
  // The lower triangle by rows is the upper one by columns.
  template <class T>
  int64_t cholesky_of(int64_t n, const Pointer<T>& a, int64_t lda) {
    return solved(
        "cusolverDnXpotrf",
        [&](size_t* on_device, size_t* on_host) {
          return lib_.potrf_size(lane_->solver, lane_->params, kUpper, n, kType<T>, a.address(),
                                 lda, kType<T>, on_device, on_host);
        },
        [&](void* work, size_t bytes, void* host, size_t host_bytes, int* info) {
          return lib_.potrf(lane_->solver, lane_->params, kUpper, n, kType<T>, a.address(), lda,
                            kType<T>, work, bytes, host, host_bytes, info);
        });
  }
  template <class T>
  void eigen_of(const Eigen<T>& e) {
    const int job = e.vectors ? kVectors : kNoVectors;
    converged(
        "cusolverDnXsyevd",
        [&](size_t* on_device, size_t* on_host) {
          return lib_.syevd_size(lane_->solver, lane_->params, job, kUpper, e.n, kType<T>,
                                 e.a.address(), e.n, kType<T>, e.values.address(), kType<T>,
                                 on_device, on_host);
        },
        [&](void* work, size_t bytes, void* host, size_t host_bytes, int* info) {
          return lib_.syevd(lane_->solver, lane_->params, job, kUpper, e.n, kType<T>, e.a.address(),
                            e.n, kType<T>, e.values.address(), kType<T>, work, bytes, host,
                            host_bytes, info);
        });
  }
  // By columns a is n × m, its left vectors are vt by rows and its right ones u.
  template <class T>
  void svd_of(const WideSvd<T>& d) {
    converged(
        "cusolverDnXgesvd",
        [&](size_t* on_device, size_t* on_host) {
          return lib_.gesvd_size(lane_->solver, lane_->params, 'S', 'S', d.n, d.m, kType<T>,
                                 d.a.address(), d.n, kType<T>, d.s.address(), kType<T>,
                                 d.vt.address(), d.n, kType<T>, d.u.address(), d.m, kType<T>,
                                 on_device, on_host);
        },
        [&](void* work, size_t bytes, void* host, size_t host_bytes, int* info) {
          return lib_.gesvd(lane_->solver, lane_->params, 'S', 'S', d.n, d.m, kType<T>,
                            d.a.address(), d.n, kType<T>, d.s.address(), kType<T>, d.vt.address(),
                            d.n, kType<T>, d.u.address(), d.m, kType<T>, work, bytes, host,
                            host_bytes, info);
        });
  }

  const Libraries& lib_ = libraries();
  std::unique_ptr<Lane> lane_;
  cudaStream_t stream_;
  std::deque<Marked> marked_;  // that were not waited for
  Mark marks_ = 0;
  std::deque<Falling> falling_;
};

}  // namespace

std::string why_not() {
  const int have = driver().version / 1000, need = CUDART_VERSION / 1000;
  if (have < need)
    return "the NVIDIA driver knows CUDA " + std::to_string(have) + ", and this build needs " +
           std::to_string(need);
  return libraries().error;
}

std::shared_ptr<Stream> open(int card) {
  int major = 0, minor = 0;
  check(cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, card), "a card");
  check(cudaDeviceGetAttribute(&minor, cudaDevAttrComputeCapabilityMinor, card), "a card");
  if (major < 8)
    throw Error("NO_DEVICE", "The card has compute capability " + std::to_string(major) + "." +
                                 std::to_string(minor) + ", and 8.0 at least is needed");
  check(cudaSetDevice(card), "cudaSetDevice");
  keep_memory(card);
  return std::make_shared<CudaStream>(card, available_memory(card));
}

}  // namespace cuda

}  // namespace at::device
