// All that nvcc compiles. One file: what two would share would be embedded twice.
#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "core/buffer.h"
#include "core/error.h"
#include "device/cuda/cuda.h"
#include "device/cuda/launches.h"
#include "device/cuda/libraries.h"
#include "device/driver.h"
#include "device/functions/list.h"

namespace at::device {

namespace {

void check_library(int status, const char* what) {
  if (status == 0) return;
  throw Error("FAILED", std::string(what) + " failed with the status " + std::to_string(status));
}

}  // namespace

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

template <class T>
constexpr int kType = sizeof(T) == sizeof(float) ? kFloat : kDouble;

// Row-major matrices are the transposes of what these libraries see.
class CudaStream final : public Stream {
 public:
  CudaStream(int card, size_t limit) : Stream(limit), card_(card) {
    enter();
    check(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking), "cudaStreamCreate");
    check_library(lib_.blas_create(&blas_), "cublasCreate");
    check_library(lib_.blas_set_stream(blas_, stream_), "cublasSetStream");
  }
  ~CudaStream() override {
    cudaSetDevice(card_);
    cudaStreamSynchronize(stream_);
    if (params_) lib_.params_destroy(params_);
    if (solver_) lib_.solver_destroy(solver_);
    if (blas_) lib_.blas_destroy(blas_);
    cudaStreamDestroy(stream_);
  }

  void synchronise() override {
    enter();
    check(cudaStreamSynchronize(stream_), "a stream");
  }
  void abandon() noexcept override {
    cudaSetDevice(card_);
    cudaStreamSynchronize(stream_);
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
  void* allocate(size_t bytes) override {
    enter();
    void* memory = nullptr;
    const cudaError_t error = cudaMallocAsync(&memory, bytes, stream_);
    if (error == cudaErrorMemoryAllocation) {
      cudaGetLastError();
      size_t available = 0, total = 0;
      cudaMemGetInfo(&available, &total);
      throw OverBudget(bytes, available);
    }
    check(error, "cudaMallocAsync");
    return memory;
  }
  void release(void* memory, size_t) noexcept override {
    cudaSetDevice(card_);
    cudaFreeAsync(memory, stream_);
  }
  void copy_up(void* to, const void* from, size_t bytes) override {
    enter();
    check(cudaMemcpyAsync(to, from, bytes, cudaMemcpyHostToDevice, stream_), "a copy");
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
  // cuBLAS keeps how it multiplies until it is told otherwise.
  void set_math() {
    const int mode = precision() == Precision::kTf32 ? kTf32Math : kDefaultMath;
    if (mode == math_) return;
    check_library(lib_.blas_set_math(blas_, mode), "cublasSetMathMode");
    math_ = mode;
  }
  void enter() const { check(cudaSetDevice(card_), "cudaSetDevice"); }
  void open_solver() {
    if (solver_) return;
    check_library(lib_.solver_create(&solver_), "cusolverDnCreate");
    check_library(lib_.solver_set_stream(solver_, stream_), "cusolverDnSetStream");
    check_library(lib_.params_create(&params_), "cusolverDnCreateParams");
  }
  template <class T>
  void multiply_with(BatchedGemm<T> gemm, const Product<T>& p) {
    enter();
    set_math();
    const auto least = [](int64_t stride) { return std::max<int64_t>(stride, 1); };
    check_library(
        gemm(blas_, p.trans_b ? kTranspose : kNoTranspose, p.trans_a ? kTranspose : kNoTranspose,
             p.n, p.m, p.k, &p.alpha, p.b.address(), least(p.ldb), p.step_b, p.a.address(),
             least(p.lda), p.step_a, &p.beta, p.c.address(), least(p.ldc), p.step_c, p.batch),
        "a product of cuBLAS");
  }
  template <class T>
  void gram_with(Syrk<T> syrk, const Gram<T>& g) {
    enter();
    set_math();
    check_library(
        syrk(blas_, kUpper, kTranspose, g.m, g.k, &g.alpha, g.a.address(),
             std::max<int64_t>(g.lda, 1), &g.beta, g.c.address(), std::max<int64_t>(g.ldc, 1)),
        "a Gram matrix of cuBLAS");
  }

  template <class T>
  void symmetric_with(Symm<T> symm, const SymmetricProduct<T>& p) {
    enter();
    check_library(symm(blas_, kRight, kLower, p.columns, p.n, &p.alpha, p.a.address(), p.lda,
                       p.b.address(), p.ldb, &p.beta, p.c.address(), p.ldc),
                  "a symmetric product of cuBLAS");
  }
  template <class T>
  void solve_with(Trsm<T> trsm, const LowerSolve<T>& s) {
    enter();
    const T one = 1;
    check_library(trsm(blas_, kRight, kUpper, s.transposed ? kTranspose : kNoTranspose, kNonUnit,
                       s.columns, s.n, &one, s.l.address(), s.ldl, s.x.address(), s.ldx),
                  "a triangular solve of cuBLAS");
  }

  // One call of cuSOLVER: `sizes` asks for its workspaces, `work` runs with them. What it says of
  // the outcome, which is waited for.
  template <class Sizes, class Work>
  int solved(const char* name, const Sizes& sizes, const Work& work) {
    enter();
    open_solver();
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
          return lib_.potrf_size(solver_, params_, kUpper, n, kType<T>, a.address(), lda, kType<T>,
                                 on_device, on_host);
        },
        [&](void* work, size_t bytes, void* host, size_t host_bytes, int* info) {
          return lib_.potrf(solver_, params_, kUpper, n, kType<T>, a.address(), lda, kType<T>, work,
                            bytes, host, host_bytes, info);
        });
  }
  template <class T>
  void eigen_of(const Eigen<T>& e) {
    const int job = e.vectors ? kVectors : kNoVectors;
    converged(
        "cusolverDnXsyevd",
        [&](size_t* on_device, size_t* on_host) {
          return lib_.syevd_size(solver_, params_, job, kUpper, e.n, kType<T>, e.a.address(), e.n,
                                 kType<T>, e.values.address(), kType<T>, on_device, on_host);
        },
        [&](void* work, size_t bytes, void* host, size_t host_bytes, int* info) {
          return lib_.syevd(solver_, params_, job, kUpper, e.n, kType<T>, e.a.address(), e.n,
                            kType<T>, e.values.address(), kType<T>, work, bytes, host, host_bytes,
                            info);
        });
  }
  // By columns a is n × m, its left vectors are vt by rows and its right ones u.
  template <class T>
  void svd_of(const WideSvd<T>& d) {
    converged(
        "cusolverDnXgesvd",
        [&](size_t* on_device, size_t* on_host) {
          return lib_.gesvd_size(solver_, params_, 'S', 'S', d.n, d.m, kType<T>, d.a.address(), d.n,
                                 kType<T>, d.s.address(), kType<T>, d.vt.address(), d.n, kType<T>,
                                 d.u.address(), d.m, kType<T>, on_device, on_host);
        },
        [&](void* work, size_t bytes, void* host, size_t host_bytes, int* info) {
          return lib_.gesvd(solver_, params_, 'S', 'S', d.n, d.m, kType<T>, d.a.address(), d.n,
                            kType<T>, d.s.address(), kType<T>, d.vt.address(), d.n, kType<T>,
                            d.u.address(), d.m, kType<T>, work, bytes, host, host_bytes, info);
        });
  }

  const Libraries& lib_ = libraries();
  int card_;
  cudaStream_t stream_ = nullptr;
  Blas blas_ = nullptr;
  int math_ = kDefaultMath;
  Solver solver_ = nullptr;
  SolverParams params_ = nullptr;
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
  cudaDeviceProp facts;
  check(cudaGetDeviceProperties(&facts, card), "cudaGetDeviceProperties");
  if (facts.major < 8)
    throw Error("NO_DEVICE", std::string("The card ") + facts.name + " has compute capability " +
                                 std::to_string(facts.major) + "." + std::to_string(facts.minor) +
                                 ", and 8.0 at least is needed");
  check(cudaSetDevice(card), "cudaSetDevice");
  size_t available = 0, total = 0;
  check(cudaMemGetInfo(&available, &total), "cudaMemGetInfo");
  return std::make_shared<CudaStream>(card, available);
}

}  // namespace cuda

}  // namespace at::device
