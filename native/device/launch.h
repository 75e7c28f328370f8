#pragma once

#include <cmath>
#include <type_traits>

#include "core/parallel.h"
#include "device/portable.h"
#include "device/stream.h"

// Functions over rows: structs that are copied to the device and whose row(r) gives what is called
// for every element of row r. So the host hoists what a row has in common, and a card computes it
// for each thread. They are declared in functions/, and compiled for cards as functions/list.h
// says.
namespace at::device {

#ifdef AT_CUDA
// In cuda/device.cu.
template <class F>
void cuda_for_rows(void* stream, int64_t rows, int64_t length, const F& f);
template <class F>
void cuda_sum_rows(void* stream, int64_t rows, int64_t length, const F& f);
template <class F>
void cuda_max_rows(void* stream, int64_t rows, int64_t length, const F& f);
template <class F>
void cuda_scan_rows(void* stream, int64_t rows, int64_t length, const F& f);
#endif

template <class F>
double bytes_moved(int64_t rows, int64_t length) {
  return static_cast<double>(rows) * static_cast<double>(length) * F::kBytes;
}
// Of functions that read more or less for each element than another time: they tell it.
template <class F>
auto bytes_moved(const F& f, int64_t, int64_t) -> decltype(f.bytes()) {
  return f.bytes();
}
template <class F, class... Sizes>
double bytes_moved(const F&, Sizes... sizes) {
  return bytes_moved<F>(sizes...);
}

// f.row(r)(e) for every r < rows and e < length, in any order. No element may be written twice.
template <class F>
void for_rows(Stream& stream, int64_t rows, int64_t length, const F& f) {
  static_assert(std::is_trivially_copyable_v<F>, "it is copied to the device as bytes");
  if (rows <= 0 || length <= 0) return;
  stream.count_launch(bytes_moved(f, rows, length));
#ifdef AT_CUDA
  if (void* cuda = stream.cuda()) return cuda_for_rows(cuda, rows, length, f);
#endif
  stream.enqueue([=] {
    parallel_for(rows, grain_for(length), [&](int64_t first, int64_t last) {
      for (int64_t r = first; r < last; ++r) {
        const auto line = f.row(r);
        for (int64_t e = 0; e < length; ++e) line(e);
      }
    });
  });
}

// work(line) for the line of every row r, on the host.
template <class F, class Work>
void enqueue_rows(Stream& stream, int64_t rows, int64_t length, const F& f, const Work& work) {
  stream.enqueue([=] {
    parallel_for(rows, grain_for(length), [&](int64_t first, int64_t last) {
      for (int64_t r = first; r < last; ++r) work(f.row(r));
    });
  });
}

// f.row(r).put(Σ_e f.row(r).term(e)) for every r < rows, e < length; the sums in double, always in
// the same order.
template <class F>
void sum_rows(Stream& stream, int64_t rows, int64_t length, const F& f) {
  static_assert(std::is_trivially_copyable_v<F>, "it is copied to the device as bytes");
  if (rows <= 0) return;
  stream.count_launch(bytes_moved(f, rows, length));
#ifdef AT_CUDA
  if (void* cuda = stream.cuda()) return cuda_sum_rows(cuda, rows, length, f);
#endif
  enqueue_rows(stream, rows, length, f, [=](const auto& line) {
    double sum = 0;
    for (int64_t e = 0; e < length; ++e) sum += line.term(e);
    line.put(sum);
  });
}

// f.row(r).put(max_e f.row(r).term(e)) for every r < rows, e < length; −∞ of none, NaN where one
// is.
template <class F>
void max_rows(Stream& stream, int64_t rows, int64_t length, const F& f) {
  static_assert(std::is_trivially_copyable_v<F>, "it is copied to the device as bytes");
  if (rows <= 0) return;
  stream.count_launch(bytes_moved<F>(rows, length));
#ifdef AT_CUDA
  if (void* cuda = stream.cuda()) return cuda_max_rows(cuda, rows, length, f);
#endif
  enqueue_rows(stream, rows, length, f, [=](const auto& line) {
    double most = -INFINITY;
    for (int64_t e = 0; e < length; ++e) most = larger(most, line.term(e));
    line.put(most);
  });
}

// f.row(r).put(e, Σ_{j ≤ e} f.row(r).term(j)) for every r < rows, e < length; the sums in double,
// always in the same order.
template <class F>
void scan_rows(Stream& stream, int64_t rows, int64_t length, const F& f) {
  static_assert(std::is_trivially_copyable_v<F>, "it is copied to the device as bytes");
  if (rows <= 0 || length <= 0) return;
  stream.count_launch(bytes_moved<F>(rows, length));
#ifdef AT_CUDA
  if (void* cuda = stream.cuda()) return cuda_scan_rows(cuda, rows, length, f);
#endif
  enqueue_rows(stream, rows, length, f, [=](const auto& line) {
    double sum = 0;
    for (int64_t e = 0; e < length; ++e) line.put(e, sum += line.term(e));
  });
}

}  // namespace at::device
