#pragma once

#include <cuda_runtime.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cub/block/block_reduce.cuh>
#include <cub/block/block_scan.cuh>
#include <string>

#include "core/error.h"
#include "device/portable.h"

// How functions over rows run on a card (device/launch.h); for nvcc.
namespace at::device {

constexpr int kThreads = 256;

inline void check(cudaError_t error, const char* what) {
  if (error == cudaSuccess) return;
  throw Error("FAILED", std::string("CUDA failed in ") + what + ": " + cudaGetErrorString(error));
}

inline unsigned blocks_for(int64_t count, int64_t most) {
  return static_cast<unsigned>(std::min(most, (count + kThreads - 1) / kThreads));
}

template <class F>
__global__ void __launch_bounds__(kThreads) each_row(int64_t rows, int64_t length, F f) {
  for (int64_t r = blockIdx.y; r < rows; r += gridDim.y) {
    const auto line = f.row(r);
    for (int64_t e = int64_t{blockIdx.x} * blockDim.x + threadIdx.x; e < length;
         e += int64_t{gridDim.x} * blockDim.x)
      line(e);
  }
}

// Rows of few elements: a thread takes them one after another.
template <class F>
__global__ void __launch_bounds__(kThreads) each_short_row(int64_t rows, int64_t length, F f) {
  for (int64_t r = int64_t{blockIdx.x} * blockDim.x + threadIdx.x; r < rows;
       r += int64_t{gridDim.x} * blockDim.x) {
    const auto line = f.row(r);
    for (int64_t e = 0; e < length; ++e) line(e);
  }
}

struct Add {
  __device__ double operator()(double a, double b) const { return a + b; }
};
struct Larger {
  __device__ double operator()(double a, double b) const { return larger(a, b); }
};

// A block of threads for every row; the order of what is joined is fixed.
template <class F, class Join>
__global__ void __launch_bounds__(kThreads)
    reduce_each_row(int64_t rows, int64_t length, F f, double none, Join join) {
  using Reduce = cub::BlockReduce<double, kThreads>;
  __shared__ typename Reduce::TempStorage scratch;
  for (int64_t r = blockIdx.x; r < rows; r += gridDim.x) {
    const auto line = f.row(r);
    double own = none;
    for (int64_t e = threadIdx.x; e < length; e += blockDim.x) own = join(own, line.term(e));
    const double all = Reduce(scratch).Reduce(own, join);
    if (threadIdx.x == 0) line.put(all);
    __syncthreads();
  }
}

// The same for running sums, a stretch of a row at a time.
template <class F>
__global__ void __launch_bounds__(kThreads) scan_each_row(int64_t rows, int64_t length, F f) {
  using Scan = cub::BlockScan<double, kThreads>;
  __shared__ typename Scan::TempStorage scratch;
  for (int64_t r = blockIdx.x; r < rows; r += gridDim.x) {
    const auto line = f.row(r);
    double before = 0;
    for (int64_t first = 0; first < length; first += blockDim.x) {
      const int64_t e = first + threadIdx.x;
      double sum = 0, stretch = 0;
      Scan(scratch).InclusiveSum(e < length ? line.term(e) : 0.0, sum, stretch);
      if (e < length) line.put(e, before + sum);
      before += stretch;
      __syncthreads();
    }
  }
}

inline unsigned blocks_for_rows(int64_t rows) {
  return static_cast<unsigned>(std::min<int64_t>(rows, int64_t{1} << 20));
}

template <class F>
void cuda_for_rows(void* stream, int64_t rows, int64_t length, const F& f) {
  auto* on = static_cast<cudaStream_t>(stream);
  constexpr int64_t kShort = 16;
  if (length <= kShort && rows > length) {
    each_short_row<<<blocks_for(rows, int64_t{1} << 20), kThreads, 0, on>>>(rows, length, f);
  } else {
    const dim3 grid(blocks_for(length, int64_t{1} << 16),
                    static_cast<unsigned>(std::min<int64_t>(rows, 65535)));
    each_row<<<grid, kThreads, 0, on>>>(rows, length, f);
  }
  check(cudaGetLastError(), "a launch");
}

template <class F>
void cuda_sum_rows(void* stream, int64_t rows, int64_t length, const F& f) {
  reduce_each_row<<<blocks_for_rows(rows), kThreads, 0, static_cast<cudaStream_t>(stream)>>>(
      rows, length, f, 0, Add());
  check(cudaGetLastError(), "a launch");
}

template <class F>
void cuda_max_rows(void* stream, int64_t rows, int64_t length, const F& f) {
  reduce_each_row<<<blocks_for_rows(rows), kThreads, 0, static_cast<cudaStream_t>(stream)>>>(
      rows, length, f, -INFINITY, Larger());
  check(cudaGetLastError(), "a launch");
}

template <class F>
void cuda_scan_rows(void* stream, int64_t rows, int64_t length, const F& f) {
  scan_each_row<<<blocks_for_rows(rows), kThreads, 0, static_cast<cudaStream_t>(stream)>>>(
      rows, length, f);
  check(cudaGetLastError(), "a launch");
}

}  // namespace at::device
