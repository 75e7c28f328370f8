#pragma once

#include <cuda_runtime.h>

#include <algorithm>
#include <cstdint>
#include <string>

#include "core/error.h"

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

// A block of threads for every row; the order of the sum is fixed.
template <class F>
__global__ void __launch_bounds__(kThreads) sum_each_row(int64_t rows, int64_t length, F f) {
  __shared__ double parts[kThreads / 32];
  for (int64_t r = blockIdx.x; r < rows; r += gridDim.x) {
    const auto line = f.row(r);
    double sum = 0;
    for (int64_t e = threadIdx.x; e < length; e += blockDim.x) sum += line.term(e);
    for (int offset = 16; offset > 0; offset /= 2) sum += __shfl_xor_sync(0xffffffffu, sum, offset);
    if (threadIdx.x % 32 == 0) parts[threadIdx.x / 32] = sum;
    __syncthreads();
    if (threadIdx.x == 0) {
      double total = 0;
      for (const double part : parts) total += part;
      line.put(total);
    }
    __syncthreads();
  }
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
  const auto blocks = static_cast<unsigned>(std::min<int64_t>(rows, int64_t{1} << 20));
  sum_each_row<<<blocks, kThreads, 0, static_cast<cudaStream_t>(stream)>>>(rows, length, f);
  check(cudaGetLastError(), "a launch");
}

}  // namespace at::device
