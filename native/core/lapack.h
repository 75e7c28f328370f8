#pragma once

#include <cstdint>
#include <vector>

// Row-major wrappers over LAPACK in double, through its Fortran symbols (Debian's OpenBLAS has no
// LAPACKE). One thread each unless said otherwise. Sizes beyond 32 bits throw Error("TOO_LARGE").
namespace at::lapack {

// Cholesky of the symmetric n × n matrix a (row stride lda): overwrites its lower triangle and
// diagonal with L, a = L Lᵀ; the strict upper triangle is left as it was. Returns 0, or the
// 1-based order of the leading minor that is not positive.
int64_t cholesky(int64_t n, double* a, int64_t lda);
// Cholesky with complete pivoting of a of which the lower triangle is read and overwritten: stops
// where the largest remaining diagonal entry is below `tolerance`. Returns the rank; pivots (n) are
// the rows in the order taken, and L Lᵀ is a in that order.
int64_t pivoted_cholesky(int64_t n, double* a, int64_t lda, double tolerance, int* pivots);
// x ← L⁻¹ x (or L⁻ᵀ x) for x (n × columns), row stride ldx.
void solve_lower(bool transposed, int64_t n, int64_t columns, const double* l, int64_t lda,
                 double* x, int64_t ldx);
// x ← L x for x (n × columns).
void multiply_lower(int64_t n, int64_t columns, const double* l, int64_t lda, double* x,
                    int64_t ldx);

// C (n × n) lower triangle and diagonal += alpha·a·aᵀ, a (n × k); the rest of C is left alone.
void rank_update(int64_t n, int64_t k, double alpha, const double* a, int64_t lda, double beta,
                 double* c, int64_t ldc);
// Like solve_lower, for x ← x L⁻ᵀ with x (rows × n).
void solve_lower_right(int64_t rows, int64_t n, const double* l, int64_t lda, double* x,
                       int64_t ldx);
// l ← L⁻¹ for l (n × n), whose diagonal has no zero; the strict upper triangle is left as it was.
void invert_lower(int64_t n, double* l, int64_t lda);
// Like multiply_lower, for x ← x Lᵀ with x (rows × n).
void multiply_lower_right(int64_t rows, int64_t n, const double* l, int64_t lda, double* x,
                          int64_t ldx);

// Eigenvalues, ascending, of the symmetric n × n matrix a; a is overwritten, with the eigenvectors
// as rows when `vectors`. Throws Error("NUMERICAL") when LAPACK does not converge.
void eigen(bool vectors, int64_t n, double* a, double* values);

// Thin singular value decomposition of a (m × n, overwritten): u (m × r), s (r, descending),
// vt (r × n), r = min(m, n).
void svd(int64_t m, int64_t n, double* a, double* u, double* s, double* vt);

// y = alpha·a·x + beta·y with the symmetric n × n matrix a of which the upper triangle is read.
void symmetric_product(int64_t n, double alpha, const double* a, int64_t lda, const double* x,
                       double beta, double* y);

// y = alpha·op(a)·x + beta·y, a (m × n).
void product(bool transposed, int64_t m, int64_t n, double alpha, const double* a, int64_t lda,
             const double* x, double beta, double* y);

double dot(int64_t n, const double* x, const double* y);

}  // namespace at::lapack
