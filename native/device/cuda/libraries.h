#pragma once

#include <cstdint>
#include <string>

// cuBLAS and cuSOLVER, opened when they are first needed: the addon loads where they are missing.
// Their functions are declared here as NVIDIA's headers have them (C, the same in versions 12 and
// 13); enumerations are passed as int.
struct CUstream_st;
struct cublasContext;
struct cusolverDnContext;
struct cusolverDnParams;

namespace at::device::cuda {

using Blas = cublasContext*;
using Solver = cusolverDnContext*;
using SolverParams = cusolverDnParams*;

// cuBLAS's and cuSOLVER's words.
constexpr int kNoTranspose = 0, kTranspose = 1, kLower = 0, kUpper = 1, kRight = 1;
constexpr int kNonUnit = 0, kNoVectors = 0, kVectors = 1;
constexpr int kFloat = 0, kDouble = 1;
constexpr int kDefaultMath = 0, kTf32Math = 3;

template <class T>
using BatchedGemm = int (*)(Blas, int op_a, int op_b, int64_t m, int64_t n, int64_t k,
                            const T* alpha, const T* a, int64_t lda, long long step_a, const T* b,
                            int64_t ldb, long long step_b, const T* beta, T* c, int64_t ldc,
                            long long step_c, int64_t batch);
template <class T>
using Syrk = int (*)(Blas, int fill, int op, int64_t n, int64_t k, const T* alpha, const T* a,
                     int64_t lda, const T* beta, T* c, int64_t ldc);

template <class T>
using Trsm = int (*)(Blas, int side, int fill, int op, int unit, int64_t m, int64_t n,
                     const T* alpha, const T* a, int64_t lda, T* b, int64_t ldb);
template <class T>
using Symm = int (*)(Blas, int side, int fill, int64_t m, int64_t n, const T* alpha, const T* a,
                     int64_t lda, const T* b, int64_t ldb, const T* beta, T* c, int64_t ldc);

struct Libraries {
  std::string error;  // empty: all are there

  int (*blas_create)(Blas*);
  int (*blas_destroy)(Blas);
  int (*blas_set_stream)(Blas, CUstream_st*);
  int (*blas_set_math)(Blas, int mode);
  BatchedGemm<float> gemm_float;
  BatchedGemm<double> gemm_double;
  Syrk<float> syrk_float;
  Syrk<double> syrk_double;
  Trsm<float> trsm_float;
  Trsm<double> trsm_double;
  Symm<float> symm_float;
  Symm<double> symm_double;

  int (*solver_create)(Solver*);
  int (*solver_destroy)(Solver);
  int (*solver_set_stream)(Solver, CUstream_st*);
  int (*params_create)(SolverParams*);
  int (*params_destroy)(SolverParams);
  int (*potrf_size)(Solver, SolverParams, int fill, int64_t n, int type_a, const void* a,
                    int64_t lda, int type, size_t* on_device, size_t* on_host);
  int (*potrf)(Solver, SolverParams, int fill, int64_t n, int type_a, void* a, int64_t lda,
               int type, void* on_device, size_t device_bytes, void* on_host, size_t host_bytes,
               int* info);
  int (*syevd_size)(Solver, SolverParams, int job, int fill, int64_t n, int type_a, const void* a,
                    int64_t lda, int type_w, const void* w, int type, size_t* on_device,
                    size_t* on_host);
  int (*syevd)(Solver, SolverParams, int job, int fill, int64_t n, int type_a, void* a, int64_t lda,
               int type_w, void* w, int type, void* on_device, size_t device_bytes, void* on_host,
               size_t host_bytes, int* info);
  int (*gesvd_size)(Solver, SolverParams, signed char job_u, signed char job_vt, int64_t m,
                    int64_t n, int type_a, const void* a, int64_t lda, int type_s, const void* s,
                    int type_u, const void* u, int64_t ldu, int type_vt, const void* vt,
                    int64_t ldvt, int type, size_t* on_device, size_t* on_host);
  int (*gesvd)(Solver, SolverParams, signed char job_u, signed char job_vt, int64_t m, int64_t n,
               int type_a, void* a, int64_t lda, int type_s, void* s, int type_u, void* u,
               int64_t ldu, int type_vt, void* vt, int64_t ldvt, int type, void* on_device,
               size_t device_bytes, void* on_host, size_t host_bytes, int* info);
};
const Libraries& libraries();

}  // namespace at::device::cuda
