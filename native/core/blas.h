#pragma once

#include <cstdint>
#include <functional>
#include <string>

// Row-major wrappers over BLAS and LAPACK. BLAS itself runs on one thread inside threads of ours.
namespace at::blas {

// Called whenever a thread of JavaScript loads the addon.
void initialise();
// The BLAS library and the kernel that it chose on this machine, e.g. "OpenBLAS 0.3.21 SkylakeX".
std::string describe();

// Whether products of small integers, which every order of summing gets exactly, are right: a BLAS
// may choose a kernel that does not work on the processor at hand, and nothing else would tell.
bool is_exact();
// The same of any way to make C (n × n) = A·B out of matrices in row order.
template <class T>
using Product = std::function<void(int64_t n, const T* a, const T* b, T* c)>;
template <class T>
bool is_exact(const Product<T>& product);

// C (m × n) = alpha·op(A)·op(B) + beta·C. op(A) is m × k: A is stored m × k with row stride lda, or
// k × m when trans_a; in the same way op(B) is k × n. One thread.
void gemm(bool trans_a, bool trans_b, int64_t m, int64_t n, int64_t k, float alpha, const float* a,
          int64_t lda, const float* b, int64_t ldb, float beta, float* c, int64_t ldc);
void gemm(bool trans_a, bool trans_b, int64_t m, int64_t n, int64_t k, double alpha,
          const double* a, int64_t lda, const double* b, int64_t ldb, double beta, double* c,
          int64_t ldc);

// C = op(A)·B where C belongs to more than the caches hold and will not be read soon.
void gemm_past(bool trans_a, int64_t m, int64_t n, int64_t k, const float* a, int64_t lda,
               const float* b, int64_t ldb, float* c, int64_t ldc);
void gemm_past(bool trans_a, int64_t m, int64_t n, int64_t k, const double* a, int64_t lda,
               const double* b, int64_t ldb, double* c, int64_t ldc);

// The lower triangle of C (m × m) = alpha·A·Aᵀ + beta·C, A m × k. One thread.
void gram(int64_t m, int64_t k, float alpha, const float* a, int64_t lda, float beta, float* c,
          int64_t ldc);
void gram(int64_t m, int64_t k, double alpha, const double* a, int64_t lda, double beta, double* c,
          int64_t ldc);

// The same as gemm, split over the threads of the surrounding arena. Each element of C is summed in
// the same order whatever the split, up to the BLAS kernel's own blocking.
void parallel_gemm(bool trans_a, bool trans_b, int64_t m, int64_t n, int64_t k, float alpha,
                   const float* a, int64_t lda, const float* b, int64_t ldb, float beta, float* c,
                   int64_t ldc);
void parallel_gemm(bool trans_a, bool trans_b, int64_t m, int64_t n, int64_t k, double alpha,
                   const double* a, int64_t lda, const double* b, int64_t ldb, double beta,
                   double* c, int64_t ldc);

}  // namespace at::blas
