#pragma once

// Our declarations of cuBLAS's and cuSOLVER's functions against NVIDIA's own headers, as
// scripts/cuda.mjs compiles them: AT_SAME(member of Libraries, function) for each.
#include <cublas_v2.h>
#include <cusolverDn.h>

#include <type_traits>

#include "device/cuda/libraries.h"

namespace at::test {

using device::cuda::Libraries;

// Enumerations are passed as int.
template <class Theirs, class Ours>
constexpr bool kSame =
    std::is_same_v<Theirs, Ours> ||
    (std::is_enum_v<Theirs> && std::is_same_v<Ours, int> && sizeof(Theirs) == sizeof(int));

template <class Theirs, class Ours>
struct Same : std::false_type {};

template <class R, class... A, class S, class... B>
struct Same<R (*)(A...), S (*)(B...)> {
  static constexpr bool compare() {
    if constexpr (sizeof...(A) == sizeof...(B)) return kSame<R, S> && (kSame<A, B> && ...);
    return false;
  }
  static constexpr bool value = compare();
};

#define AT_SAME(member, function)                                                \
  static_assert(Same<decltype(&::function), decltype(Libraries::member)>::value, \
                "Libraries::" #member " is not declared as NVIDIA has " #function);

static_assert(device::cuda::kNoTranspose == CUBLAS_OP_N);
static_assert(device::cuda::kTranspose == CUBLAS_OP_T);
static_assert(device::cuda::kUpper == CUBLAS_FILL_MODE_UPPER);
static_assert(device::cuda::kLower == CUBLAS_FILL_MODE_LOWER);
static_assert(device::cuda::kRight == CUBLAS_SIDE_RIGHT);
static_assert(device::cuda::kNonUnit == CUBLAS_DIAG_NON_UNIT);
static_assert(device::cuda::kVectors == CUSOLVER_EIG_MODE_VECTOR);
static_assert(device::cuda::kNoVectors == CUSOLVER_EIG_MODE_NOVECTOR);
static_assert(device::cuda::kFloat == CUDA_R_32F);
static_assert(device::cuda::kDouble == CUDA_R_64F);
static_assert(device::cuda::kDefaultMath == CUBLAS_DEFAULT_MATH);
static_assert(device::cuda::kTf32Math == CUBLAS_TF32_TENSOR_OP_MATH);

}  // namespace at::test
