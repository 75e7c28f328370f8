#include "core/lapack.h"

#include <algorithm>
#include <climits>
#include <string>

#include "core/error.h"
#include "core/fortran.h"

extern "C" {
void dpotrf_(const char*, const int*, double*, const int*, int*);
void dpstrf_(const char*, const int*, double*, const int*, int*, int*, const double*, double*,
             int*);
void dtrsm_(const char*, const char*, const char*, const char*, const int*, const int*,
            const double*, const double*, const int*, double*, const int*);
void dtrmm_(const char*, const char*, const char*, const char*, const int*, const int*,
            const double*, const double*, const int*, double*, const int*);
void dtrtri_(const char*, const char*, const int*, double*, const int*, int*);
void dtrsv_(const char*, const char*, const char*, const int*, const double*, const int*, double*,
            const int*);
void dsyrk_(const char*, const char*, const int*, const int*, const double*, const double*,
            const int*, const double*, double*, const int*);
void dsyevd_(const char*, const char*, const int*, double*, const int*, double*, double*,
             const int*, int*, const int*, int*);
void dgesdd_(const char*, const int*, const int*, double*, const int*, double*, double*, const int*,
             double*, const int*, double*, const int*, int*, int*);
void dgesvd_(const char*, const char*, const int*, const int*, double*, const int*, double*,
             double*, const int*, double*, const int*, double*, const int*, int*);
void dsymv_(const char*, const int*, const double*, const double*, const int*, const double*,
            const int*, const double*, double*, const int*);
void dgemv_(const char*, const int*, const int*, const double*, const double*, const int*,
            const double*, const int*, const double*, double*, const int*);
double ddot_(const int*, const double*, const int*, const double*, const int*);
}

// A row-major matrix is the column-major one of its transpose: "lower" becomes "upper".
namespace at::lapack {

namespace {

int narrow(int64_t n) {
  if (n > INT_MAX) {
    throw Error("TOO_LARGE", "A matrix of dimension " + std::to_string(n) +
                                 " is too large for LAPACK with 32-bit integers");
  }
  return static_cast<int>(n);
}

int leading(int64_t n) { return narrow(std::max<int64_t>(n, 1)); }

// Workspace sizes come back as doubles that may have been rounded down.
int workspace(double size) { return narrow(static_cast<int64_t>(size * (1 + 1e-15)) + 1); }

void check(const char* routine, int info) {
  if (info == 0) return;
  throw Error("NUMERICAL", std::string("LAPACK's ") + routine + " did not converge (info " +
                               std::to_string(info) + ")");
}

const int kOne = 1;

}  // namespace

int64_t cholesky(int64_t n, double* a, int64_t lda) {
  if (n == 0) return 0;
  const int ni = narrow(n), ld = leading(lda);
  int info = 0;
  dpotrf_("U", &ni, a, &ld, &info);
  return info;
}

int64_t pivoted_cholesky(int64_t n, double* a, int64_t lda, double tolerance, int* pivots) {
  if (n == 0) return 0;
  const int ni = narrow(n), ld = leading(lda);
  std::vector<double> work(2 * static_cast<size_t>(n));
  int rank = 0, info = 0;
  dpstrf_("U", &ni, a, &ld, pivots, &rank, &tolerance, work.data(), &info);
  for (int64_t i = 0; i < n; ++i) --pivots[i];
  return rank;
}

void solve_lower(bool transposed, int64_t n, int64_t columns, const double* l, int64_t lda,
                 double* x, int64_t ldx) {
  if (n == 0 || columns == 0) return;
  // op(L) y = x on row-major x is yᵀ op(L)ᵀ = xᵀ, and column-major sees L as its transpose.
  const int ni = narrow(n), ci = narrow(columns), ld = leading(lda), lx = leading(ldx);
  if (columns == 1 && ldx == 1) {
    dtrsv_("U", transposed ? "N" : "T", "N", &ni, l, &ld, x, &kOne);
    return;
  }
  const double one = 1;
  dtrsm_("R", "U", transposed ? "T" : "N", "N", &ci, &ni, &one, l, &ld, x, &lx);
}

void multiply_lower(int64_t n, int64_t columns, const double* l, int64_t lda, double* x,
                    int64_t ldx) {
  if (n == 0 || columns == 0) return;
  const int ni = narrow(n), ci = narrow(columns), ld = leading(lda), lx = leading(ldx);
  const double one = 1;
  dtrmm_("R", "U", "N", "N", &ci, &ni, &one, l, &ld, x, &lx);
}

void solve_lower_right(int64_t rows, int64_t n, const double* l, int64_t lda, double* x,
                       int64_t ldx) {
  if (n == 0 || rows == 0) return;
  const int ni = narrow(n), ri = narrow(rows), ld = leading(lda), lx = leading(ldx);
  const double one = 1;
  dtrsm_("L", "U", "T", "N", &ni, &ri, &one, l, &ld, x, &lx);
}

void invert_lower(int64_t n, double* l, int64_t lda) {
  if (n == 0) return;
  const int ni = narrow(n), ld = leading(lda);
  int info = 0;
  dtrtri_("U", "N", &ni, l, &ld, &info);
}

void multiply_lower_right(int64_t rows, int64_t n, const double* l, int64_t lda, double* x,
                          int64_t ldx) {
  if (n == 0 || rows == 0) return;
  const int ni = narrow(n), ri = narrow(rows), ld = leading(lda), lx = leading(ldx);
  const double one = 1;
  dtrmm_("L", "U", "T", "N", &ni, &ri, &one, l, &ld, x, &lx);
}

void rank_update(int64_t n, int64_t k, double alpha, const double* a, int64_t lda, double beta,
                 double* c, int64_t ldc) {
  if (n == 0) return;
  const int ni = narrow(n), ki = narrow(k), la = leading(lda), lc = leading(ldc);
  dsyrk_("U", "T", &ni, &ki, &alpha, a, &la, &beta, c, &lc);
}

void eigen(bool vectors, int64_t n, double* a, double* values) {
  if (n == 0) return;
  const int ni = narrow(n);
  const char* job = vectors ? "V" : "N";
  int info = 0, query = -1, int_size = 0;
  double size = 0;
  dsyevd_(job, "U", &ni, a, &ni, values, &size, &query, &int_size, &query, &info);
  const int work_size = workspace(size);
  std::vector<double> work(work_size);
  std::vector<int> int_work(std::max(int_size, 1));
  int_size = static_cast<int>(int_work.size());
  dsyevd_(job, "U", &ni, a, &ni, values, work.data(), &work_size, int_work.data(), &int_size,
          &info);
  check("dsyevd", info);
}

void svd(int64_t m, int64_t n, double* a, double* u, double* s, double* vt) {
  if (m == 0 || n == 0) return;
  const int rows = narrow(n), cols = narrow(m), r = std::min(rows, cols);
  std::vector<double> copy(a, a + m * n);
  int info = 0, query = -1;
  double size = 0;
  std::vector<int> int_work(8 * static_cast<size_t>(r));
  dgesdd_("S", &rows, &cols, a, &rows, s, vt, &rows, u, &r, &size, &query, int_work.data(), &info);
  const int work_size = workspace(size);
  std::vector<double> work(work_size);
  dgesdd_("S", &rows, &cols, a, &rows, s, vt, &rows, u, &r, work.data(), &work_size,
          int_work.data(), &info);
  if (info <= 0) return check("dgesdd", info);
  // Divide and conquer gives up now and then on nearly rank-deficient matrices; the QR iteration
  // is slower but does not.
  dgesvd_("S", "S", &rows, &cols, copy.data(), &rows, s, vt, &rows, u, &r, &size, &query, &info);
  const int slow_size = workspace(size);
  std::vector<double> slow(slow_size);
  dgesvd_("S", "S", &rows, &cols, copy.data(), &rows, s, vt, &rows, u, &r, slow.data(), &slow_size,
          &info);
  check("dgesvd", info);
}

void symmetric_product(int64_t n, double alpha, const double* a, int64_t lda, const double* x,
                       double beta, double* y) {
  if (n == 0) return;
  const int ni = narrow(n), ld = leading(lda);
  dsymv_("L", &ni, &alpha, a, &ld, x, &kOne, &beta, y, &kOne);
}

void product(bool transposed, int64_t m, int64_t n, double alpha, const double* a, int64_t lda,
             const double* x, double beta, double* y) {
  const int64_t out = transposed ? n : m;
  if (m == 0 || n == 0) {
    for (int64_t i = 0; i < out; ++i) y[i] = beta == 0 ? 0 : beta * y[i];
    return;
  }
  const int mi = narrow(n), ni = narrow(m), ld = leading(lda);
  dgemv_(transposed ? "N" : "T", &mi, &ni, &alpha, a, &ld, x, &kOne, &beta, y, &kOne);
}

double dot(int64_t n, const double* x, const double* y) {
  const int ni = narrow(n);
  return ddot_(&ni, x, &kOne, y, &kOne);
}

}  // namespace at::lapack
