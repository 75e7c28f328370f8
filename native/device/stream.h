#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <type_traits>
#include <vector>

#include "core/shape.h"
#include "device/pointer.h"
#include "device/precision.h"

namespace at::device {

// What a stream has been asked to do so far.
struct Counts {
  int64_t launches = 0;  // of functions
  int64_t products = 0;  // calls of a library: products, factorisations
  double flops = 0;      // of these
  double bytes = 0;      // that functions and products read and write, each operand once
  int64_t bytes_up = 0, bytes_down = 0;  // between host and device
  int64_t most_bytes = 0;                // in the device's memory at once
  int64_t nodes = 0;                     // of a graph, that it was asked to serve
  std::set<std::string> on_host;         // those that the host served in its place
};

// C_b (m × n) = alpha·op(A_b)·op(B_b) + beta·C_b for b < batch, row-major: op(A) is m × k, and A is
// stored so with row stride lda, or as k × m when trans_a; in the same way op(B), k × n. Matrix b
// begins b·step numbers after the first; C's must not meet.
template <class T>
struct Product {
  bool trans_a = false, trans_b = false;
  int64_t m = 0, n = 0, k = 0;
  Pointer<const T> a;
  int64_t lda = 0;
  Pointer<const T> b;
  int64_t ldb = 0;
  Pointer<T> c;
  int64_t ldc = 0;
  T alpha = 1, beta = 0;
  int64_t batch = 1;
  int64_t step_a = 0, step_b = 0, step_c = 0;
};

// The lower triangle of C (m × m) = alpha·A·Aᵀ + beta·C, A m × k.
template <class T>
struct Gram {
  int64_t m = 0, k = 0;
  Pointer<const T> a;
  int64_t lda = 0;
  Pointer<T> c;
  int64_t ldc = 0;
  T alpha = 1, beta = 0;
};

// x ← L⁻¹ x, or L⁻ᵀ x, for x (n × columns), L (n × n) being the lower triangle of l.
template <class T>
struct LowerSolve {
  bool transposed = false;
  int64_t n = 0, columns = 0;
  Pointer<const T> l;
  int64_t ldl = 0;
  Pointer<T> x;
  int64_t ldx = 0;
};

// C (n × columns) = alpha·A·B + beta·C with the symmetric matrix A of which the upper triangle is
// read.
template <class T>
struct SymmetricProduct {
  int64_t n = 0, columns = 0;
  Pointer<const T> a;
  int64_t lda = 0;
  Pointer<const T> b;
  int64_t ldb = 0;
  Pointer<T> c;
  int64_t ldc = 0;
  T alpha = 1, beta = 0;
};

// Eigenvalues, ascending, of the symmetric n × n matrix a, of which the lower triangle is read; a
// is overwritten, with the eigenvectors as rows when `vectors`.
template <class T>
struct Eigen {
  bool vectors = true;
  int64_t n = 0;
  Pointer<T> a;
  Pointer<T> values;
};

// Thin singular values of a (m × n, m ≤ n, overwritten): u (m × m), s (m, descending), vt (m × n).
template <class T>
struct WideSvd {
  int64_t m = 0, n = 0;
  Pointer<T> a, u, s, vt;
};

// Numbers in a device's memory, uninitialised. Whoever holds a copy holds them.
template <class T>
class Buffer {
 public:
  Buffer() = default;
  Buffer(std::shared_ptr<void> memory, int64_t size) : memory_(std::move(memory)), size_(size) {}
  explicit operator bool() const { return memory_ != nullptr; }
  std::shared_ptr<const void> held() const { return memory_; }
  int64_t size() const { return size_; }
  int64_t bytes() const { return size_ * static_cast<int64_t>(sizeof(T)); }
  Pointer<T> at(int64_t index = 0) const {
    return Pointer<T>(static_cast<T*>(memory_.get())) + index;
  }

 private:
  std::shared_ptr<void> memory_;
  int64_t size_ = 0;
};

// A place in the order of a stream.
using Mark = int64_t;

// Work on one device, done in the order in which it was asked for, at some time before
// synchronise() returns. Numbers go up by send() and come down by bring(), or fetch(), which waits.
// Of one thread at a time; several streams share a device. Made by open_stream().
class Stream : public std::enable_shared_from_this<Stream> {
 public:
  // Not more than `limit` bytes of the device's memory are in use at once.
  explicit Stream(size_t limit) : limit_(limit) {}
  virtual ~Stream() = default;
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  // Throws OverBudget when the limit, or the device's memory, is not enough.
  template <class T>
  Buffer<T> take(int64_t count) {
    const int64_t numbers = count > 0 ? count : 1;
    return Buffer<T>(memory(checked_mul(numbers, sizeof(T))), numbers);
  }
  // Numbers of the host, which are read before this returns, in memory of their own: they travel
  // while what was asked for before goes on, and are there for what is asked for afterwards.
  template <class T>
  Buffer<T> send(const T* from, int64_t count) {
    const int64_t numbers = count > 0 ? count : 1;
    const Buffer<T> to(memory(checked_mul(numbers, sizeof(T)), true), numbers);
    counts_.bytes_up += count * static_cast<int64_t>(sizeof(T));
    if (count > 0) copy_ahead(to.at().address(), from, static_cast<size_t>(count) * sizeof(T));
    return to;
  }
  template <class T>
  Buffer<T> send(const std::vector<T>& numbers) {
    return send(numbers.data(), static_cast<int64_t>(numbers.size()));
  }
  // Numbers of the device, which stay as they are there until they have arrived, while what is
  // asked for afterwards goes on; they have when their place in the order was waited for.
  template <class T>
  void bring(T* to, const Pointer<const T>& from, int64_t count) {
    counts_.bytes_down += count * static_cast<int64_t>(sizeof(T));
    if (count > 0) copy_back(to, from.address(), static_cast<size_t>(count) * sizeof(T));
  }
  // The same, waited for.
  template <class T>
  void fetch(T* to, const Buffer<T>& from, int64_t count) {
    bring(to, Pointer<const T>(from.at()), count);
    arrive();
  }
  template <class T>
  std::vector<T> fetch(const Buffer<T>& from, int64_t count) {
    std::vector<T> numbers(static_cast<size_t>(count));
    fetch(numbers.data(), from, count);
    return numbers;
  }
  template <class T>
  void multiply(const Product<T>& p) {
    if (p.m <= 0 || p.n <= 0 || p.batch <= 0) return;
    count_product(2.0 * p.batch * p.m * p.n * p.k,
                  p.batch * (p.m * p.k + p.k * p.n + (p.beta == T(0) ? 1 : 2) * p.m * p.n) *
                      static_cast<double>(sizeof(T)));
    run(p);
    if constexpr (std::is_same_v<T, float>) sample(p);
  }
  template <class T>
  void gram(const Gram<T>& g) {
    if (g.m <= 0) return;
    count_product(1.0 * g.m * (g.m + 1) * g.k,
                  (1.0 * g.m * g.k + g.m * (g.m + 1)) * static_cast<double>(sizeof(T)));
    run(g);
    if constexpr (std::is_same_v<T, float>) sample(g);
  }
  template <class T>
  void multiply(const SymmetricProduct<T>& p) {
    if (p.n <= 0 || p.columns <= 0) return;
    count_product(2.0 * p.n * p.n * p.columns,
                  (1.0 * p.n * p.n / 2 + 3.0 * p.n * p.columns) * static_cast<double>(sizeof(T)));
    run(p);
  }
  template <class T>
  void solve(const LowerSolve<T>& s) {
    if (s.n <= 0 || s.columns <= 0) return;
    count_product(1.0 * s.n * s.n * s.columns,
                  (1.0 * s.n * s.n / 2 + 2.0 * s.n * s.columns) * static_cast<double>(sizeof(T)));
    run(s);
  }
  // Cholesky of the symmetric n × n matrix a, as lapack::cholesky has it. Waits for the outcome.
  template <class T>
  int64_t cholesky(int64_t n, const Pointer<T>& a, int64_t lda) {
    if (n <= 0) return 0;
    count_product(n * (1.0 * n) * n / 3, 1.0 * n * n * static_cast<double>(sizeof(T)));
    return factorise(n, a, lda);
  }
  // These two wait for the outcome, too, and throw Error("NUMERICAL") when there is none.
  template <class T>
  void eigen(const Eigen<T>& e) {
    if (e.n <= 0) return;
    // As LAPACK's tridiagonal reduction, divide and conquer, and the way back take.
    count_product((e.vectors ? 9.0 : 4.0 / 3) * e.n * e.n * e.n,
                  2.0 * e.n * e.n * static_cast<double>(sizeof(T)));
    run(e);
  }
  template <class T>
  void svd(const WideSvd<T>& d) {
    if (d.m <= 0) return;
    count_product(6.0 * d.m * d.m * d.n + 20.0 * d.m * d.m * d.m,
                  (2.0 * d.m * d.n + d.m * d.m) * static_cast<double>(sizeof(T)));
    run(d);
  }

  // Of the products of float to come.
  void set_precision(Precision precision) { precision_ = precision; }
  Precision precision() const { return precision_; }
  // Waits; of the products in TF32 so far.
  MeasuredError tf32_error() {
    synchronise();
    return sample_.measure();
  }

  // Waits until all is done that was asked for.
  virtual void synchronise() = 0;
  // The place of what was asked for last, and waiting until all is done up to a place.
  virtual Mark mark() = 0;
  virtual void wait(Mark mark) = 0;
  // Forgets what was asked for and not yet done: after an error nothing of it counts.
  virtual void abandon() noexcept = 0;

  // The stream of CUDA's runtime; null on the emulated device.
  virtual void* cuda() const { return nullptr; }
  // Of the emulated device: runs `work` when its turn comes. See launch.h.
  virtual void enqueue(std::function<void()> work) = 0;
  void count_launch(double bytes) {
    ++counts_.launches;
    counts_.bytes += bytes;
  }

  void count_node() { ++counts_.nodes; }
  void count_on_host(const std::string& node) { counts_.on_host.insert(node); }

  size_t limit() const { return limit_; }
  // What is left of it.
  size_t available() const { return limit_ - live_; }
  const Counts& counts() const { return counts_; }

 protected:
  // Memory that is given back in order with what is asked for.
  virtual void* allocate(size_t bytes) = 0;
  // The same for what copy_ahead() brings.
  virtual void* allocate_ahead(size_t bytes) { return allocate(bytes); }
  virtual void release(void* memory, size_t bytes) noexcept = 0;
  // A few numbers, in order with what is asked for.
  virtual void copy_down(void* to, const void* from, size_t bytes) = 0;
  virtual void copy_ahead(void* to, const void* from, size_t bytes) = 0;
  virtual void copy_back(void* to, const void* from, size_t bytes) = 0;
  virtual void run(const Product<float>& product) = 0;
  virtual void run(const Product<double>& product) = 0;
  virtual void run(const Gram<float>& gram) = 0;
  virtual void run(const Gram<double>& gram) = 0;
  virtual void run(const SymmetricProduct<float>& product) = 0;
  virtual void run(const SymmetricProduct<double>& product) = 0;
  virtual void run(const LowerSolve<float>& solve) = 0;
  virtual void run(const LowerSolve<double>& solve) = 0;
  virtual void run(const Eigen<float>& eigen) = 0;
  virtual void run(const Eigen<double>& eigen) = 0;
  virtual void run(const WideSvd<float>& svd) = 0;
  virtual void run(const WideSvd<double>& svd) = 0;
  virtual int64_t factorise(int64_t n, const Pointer<float>& a, int64_t lda) = 0;
  virtual int64_t factorise(int64_t n, const Pointer<double>& a, int64_t lda) = 0;

 private:
  std::shared_ptr<void> memory(int64_t bytes, bool ahead = false);
  // synchronise(); what fails is forgotten, since those who wait are gone then.
  void arrive();
  // In TF32 computes a part of some products both ways.
  template <class Work>
  void sample(const Work& work);
  void count_product(double flops, double bytes) {
    ++counts_.products;
    counts_.flops += flops;
    counts_.bytes += bytes;
  }

  size_t limit_;
  size_t live_ = 0;
  Counts counts_;
  Precision precision_ = Precision::kFloat32;
  ProductSample sample_;
};

}  // namespace at::device
