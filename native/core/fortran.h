#pragma once

// The names of BLAS and LAPACK's routines. PyPI's OpenBLAS, which the prebuilt packages carry, puts
// a prefix before each.
#ifdef AT_SCIPY_OPENBLAS
#define AT_BLAS_PREFIX "scipy_"
#define ddot_ scipy_ddot_
#define dgemm_ scipy_dgemm_
#define dgemv_ scipy_dgemv_
#define dgesdd_ scipy_dgesdd_
#define dgesvd_ scipy_dgesvd_
#define dpotrf_ scipy_dpotrf_
#define dpstrf_ scipy_dpstrf_
#define dsyevd_ scipy_dsyevd_
#define dsymv_ scipy_dsymv_
#define dsyrk_ scipy_dsyrk_
#define dtrmm_ scipy_dtrmm_
#define dtrsm_ scipy_dtrsm_
#define dtrsv_ scipy_dtrsv_
#define dtrtri_ scipy_dtrtri_
#define sgemm_ scipy_sgemm_
#define ssyrk_ scipy_ssyrk_
#else
#define AT_BLAS_PREFIX ""
#endif
