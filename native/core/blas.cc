#include "core/blas.h"

#include <dlfcn.h>

#include <algorithm>
#include <mutex>
#include <type_traits>
#include <vector>

#include "core/fortran.h"
#include "core/gram.h"
#include "core/panel.h"
#include "core/parallel.h"

extern "C" {
void sgemm_(const char*, const char*, const int*, const int*, const int*, const float*,
            const float*, const int*, const float*, const int*, const float*, float*, const int*);
void dgemm_(const char*, const char*, const int*, const int*, const int*, const double*,
            const double*, const int*, const double*, const int*, const double*, double*,
            const int*);
void ssyrk_(const char*, const char*, const int*, const int*, const float*, const float*,
            const int*, const float*, float*, const int*);
void dsyrk_(const char*, const char*, const int*, const int*, const double*, const double*,
            const int*, const double*, double*, const int*);
}

namespace at::blas {

namespace {

void fortran_gemm(const char* ta, const char* tb, const int* m, const int* n, const int* k,
                  const float* alpha, const float* a, const int* lda, const float* b,
                  const int* ldb, const float* beta, float* c, const int* ldc) {
  sgemm_(ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
}
void fortran_gemm(const char* ta, const char* tb, const int* m, const int* n, const int* k,
                  const double* alpha, const double* a, const int* lda, const double* b,
                  const int* ldb, const double* beta, double* c, const int* ldc) {
  dgemm_(ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
}

template <class T>
void scale(int64_t m, int64_t n, T beta, T* c, int64_t ldc) {
  for (int64_t i = 0; i < m; ++i)
    for (int64_t j = 0; j < n; ++j) c[i * ldc + j] = beta == T(0) ? T(0) : beta * c[i * ldc + j];
}

// A row-major product is the column-major product of the transposes with the operands swapped.
template <class T>
void whole_gemm(bool trans_a, bool trans_b, int64_t m, int64_t n, int64_t k, T alpha, const T* a,
                int64_t lda, const T* b, int64_t ldb, T beta, T* c, int64_t ldc) {
  const int mi = static_cast<int>(m), ni = static_cast<int>(n), ki = static_cast<int>(k);
  const int la = static_cast<int>(std::max<int64_t>(lda, 1));
  const int lb = static_cast<int>(std::max<int64_t>(ldb, 1));
  const int lc = static_cast<int>(std::max<int64_t>(ldc, 1));
  fortran_gemm(trans_b ? "T" : "N", trans_a ? "T" : "N", &ni, &mi, &ki, &alpha, b, &lb, a, &la,
               &beta, c, &lc);
}

// Has OpenBLAS chosen its kernels for AVX-512?
bool for_avx512 = false;

// Among them are some that read matrices where they lie, and it takes them for A·Bᵀ where C and the
// work are as small as this (sgemm_small_kernel_permit_skylakex.c). Else it packs all of B, which
// for few rows of A costs more than the product: of 4 rows with 640 × 160 numbers 31 GFLOP/s in
// place of 100.
constexpr int64_t kFewRows = 48, kSmallResult = 1200, kSmallWork = 1000000;

// The columns of C that one such kernel computes; all of them where none does.
template <class T>
int64_t columns_at_once(bool trans_a, bool trans_b, int64_t m, int64_t n, int64_t k) {
  const bool few = m <= kFewRows && trans_b && !trans_a && k >= 32;
  if (!for_avx512 || !few || !std::is_same_v<T, float>) return n;
  const int64_t most = std::min(kSmallResult, kSmallWork / k) / m;
  if (n <= most || most < 8) return n;
  const int64_t pieces = (n + most - 1) / most;
  return (n + pieces - 1) / pieces;
}

// Its kernel for doubles takes 16 columns of C at once and two rows: many rows with few columns are
// computed as the transpose. Of 1000 rows with 10 × 785 numbers 34 GFLOP/s in place of 23.
template <class T>
bool better_turned(bool trans_a, bool trans_b, int64_t m, int64_t n, int64_t k) {
  constexpr int64_t kFewColumns = 64;
  const bool few = n <= kFewColumns && m >= 4 * n && k >= 64;
  return for_avx512 && few && trans_b && !trans_a && std::is_same_v<T, double>;
}

template <class T>
void turned_gemm(int64_t m, int64_t n, int64_t k, T alpha, const T* a, int64_t lda, const T* b,
                 int64_t ldb, T beta, T* c, int64_t ldc) {
  std::vector<T> turned(static_cast<size_t>(m * n));
  whole_gemm(false, true, n, m, k, alpha, b, ldb, a, lda, T(0), turned.data(), m);
  for (int64_t i = 0; i < m; ++i)
    for (int64_t j = 0; j < n; ++j) {
      const T add = beta == T(0) ? T(0) : beta * c[i * ldc + j];
      c[i * ldc + j] = turned[j * m + i] + add;
    }
}

Panel panel_of(bool trans_a, int64_t m, int64_t n, int64_t k, const float* a, int64_t lda,
               const float* b, int64_t ldb, float* c, int64_t ldc, bool adds = false) {
  return {m, n, k, a, trans_a ? 1 : lda, trans_a ? lda : 1, b, ldb, c, ldc, adds};
}

// Does a panel make the product? B is turned round for it where many rows of A meet it.
bool by_panel(bool trans_a, bool trans_b, int64_t m, int64_t n, int64_t k, float alpha,
              const float* a, int64_t lda, const float* b, int64_t ldb, float beta, float* c,
              int64_t ldc) {
  if (alpha != 1 || (beta != 0 && beta != 1)) return false;
  Panel panel = panel_of(trans_a, m, n, k, a, lda, b, ldb, c, ldc, beta == 1);
  constexpr int64_t kManyRows = 256, kTile = 16;
  if ((trans_b && m < kManyRows) || !panel.pays()) return false;
  if (trans_b) {
    static thread_local std::vector<float> turned;
    if (static_cast<int64_t>(turned.size()) < k * n) turned.resize(static_cast<size_t>(k * n));
    for (int64_t j0 = 0; j0 < n; j0 += kTile)
      for (int64_t t0 = 0; t0 < k; t0 += kTile)
        for (int64_t t = t0; t < std::min(k, t0 + kTile); ++t)
          for (int64_t j = j0; j < std::min(n, j0 + kTile); ++j) turned[t * n + j] = b[j * ldb + t];
    panel.b = turned.data();
    panel.ldb = n;
  }
  panel.run();
  return true;
}
bool by_panel(bool, bool, int64_t, int64_t, int64_t, double, const double*, int64_t, const double*,
              int64_t, double, double*, int64_t) {
  return false;
}

template <class T>
void row_major_gemm(bool trans_a, bool trans_b, int64_t m, int64_t n, int64_t k, T alpha,
                    const T* a, int64_t lda, const T* b, int64_t ldb, T beta, T* c, int64_t ldc) {
  if (m == 0 || n == 0) return;
  if (k == 0) return scale(m, n, beta, c, ldc);
  if (by_panel(trans_a, trans_b, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc)) return;
  if (better_turned<T>(trans_a, trans_b, m, n, k))
    return turned_gemm(m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
  const int64_t columns = columns_at_once<T>(trans_a, trans_b, m, n, k);
  for (int64_t j = 0; j < n; j += columns)
    whole_gemm(trans_a, trans_b, m, std::min(columns, n - j), k, alpha, a, lda,
               trans_b ? b + j * ldb : b + j, ldb, beta, c + j, ldc);
}

template <class T>
void split_gemm(bool trans_a, bool trans_b, int64_t m, int64_t n, int64_t k, T alpha, const T* a,
                int64_t lda, const T* b, int64_t ldb, T beta, T* c, int64_t ldc) {
  // Four pieces of C for every thread, or two where four would be so small that packing the other
  // operand again for each costs more than a tenth of the product.
  constexpr int64_t kWork = int64_t{1} << 22;
  if (m * n * std::max<int64_t>(k, 1) < 2 * kWork) {
    row_major_gemm(trans_a, trans_b, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
    return;
  }
  const bool by_rows = m >= n;
  const int64_t length = by_rows ? m : n;
  const int64_t other = by_rows ? n : m;
  constexpr int64_t kCheap = 256;
  const int64_t quarter = std::min<int64_t>(length / (4 * concurrency()), 512);
  const int64_t share = std::max(quarter, std::min(length / (2 * concurrency()), kCheap));
  int64_t piece = std::max<int64_t>({kWork / std::max<int64_t>(1, other * k), share, 64});
  piece = std::min<int64_t>((piece + 15) / 16 * 16, 1024);
  // A few columns left over (a bias) would cost as much packing as a whole piece.
  int64_t pieces = (length + piece - 1) / piece;
  if (pieces > 1 && length % piece > 0 && length % piece <= piece / 4) --pieces;
  parallel_for(pieces, 1, [&](int64_t first, int64_t last) {
    const int64_t begin = first * piece;
    const int64_t size = (last == pieces ? length : last * piece) - begin;
    if (by_rows) {
      row_major_gemm(trans_a, trans_b, size, n, k, alpha, trans_a ? a + begin : a + begin * lda,
                     lda, b, ldb, beta, c + begin * ldc, ldc);
    } else {
      row_major_gemm(trans_a, trans_b, m, size, k, alpha, a, lda,
                     trans_b ? b + begin * ldb : b + begin, ldb, beta, c + begin, ldc);
    }
  });
}

}  // namespace

namespace {

// Of the kernel that OpenBLAS chose; empty where another BLAS is used.
std::string core_name() {
  using Text = char* (*)();
  auto name = reinterpret_cast<Text>(dlsym(RTLD_DEFAULT, AT_BLAS_PREFIX "openblas_get_corename"));
  return name ? name() : "";
}

}  // namespace

static void prepare() {
  using SetThreads = void (*)(int);
  using EndThreads = int (*)();
  const auto set =
      reinterpret_cast<SetThreads>(dlsym(RTLD_DEFAULT, AT_BLAS_PREFIX "openblas_set_num_threads"));
  if (set) {
    set(1);
    // Those that OpenBLAS starts when it is loaded look out for work for tens of milliseconds, each
    // on a core of its own.
    const auto end =
        reinterpret_cast<EndThreads>(dlsym(RTLD_DEFAULT, AT_BLAS_PREFIX "blas_thread_shutdown_"));
    if (end) end();
  }
  const std::string core = core_name();
  for (const char* own : {"SkylakeX", "Cooperlake", "SapphireRapids"})
    if (core == own) for_avx512 = true;
}

void initialise() {
  static std::once_flag done;
  std::call_once(done, prepare);
}

std::string describe() {
  using Text = char* (*)();
  auto config = reinterpret_cast<Text>(dlsym(RTLD_DEFAULT, AT_BLAS_PREFIX "openblas_get_config"));
  const std::string core = core_name();
  if (!config || core.empty()) return "BLAS (of unknown make)";
  const std::string text = config();
  // "OpenBLAS 0.3.21 NO_LAPACKE …": the name and the version are enough.
  const size_t end = text.find(' ', text.find(' ') + 1);
  return text.substr(0, end) + " " + core;
}

template <class T>
bool is_exact(const Product<T>& product) {
  // Edges of every kernel's blocks, and several blocks: sums stay below 2^24.
  for (const int64_t n : {7, 131}) {
    std::vector<T> a(n * n), b(n * n), c(n * n, T(1));
    for (int64_t e = 0; e < n * n; ++e) {
      a[e] = static_cast<T>(e * 5 % 13 - 6);
      b[e] = static_cast<T>(e * 7 % 11 - 5);
    }
    product(n, a.data(), b.data(), c.data());
    for (int64_t i = 0; i < n; ++i) {
      std::vector<T> row(n, T(0));
      for (int64_t k = 0; k < n; ++k)
        for (int64_t j = 0; j < n; ++j) row[j] += a[i * n + k] * b[k * n + j];
      // A comparison that NaN fails, too.
      for (int64_t j = 0; j < n; ++j)
        if (!(c[i * n + j] == row[j])) return false;
    }
  }
  return true;
}

template bool is_exact<float>(const Product<float>&);
template bool is_exact<double>(const Product<double>&);

static bool multiplies_exactly() {
  const auto product = [](int64_t n, const auto* a, const auto* b, auto* c) {
    using T = std::remove_reference_t<decltype(*c)>;
    row_major_gemm<T>(false, false, n, n, n, T(1), a, n, b, n, T(0), c, n);
  };
  return is_exact<float>(product) && is_exact<double>(product);
}

bool is_exact() {
  static const bool exact = multiplies_exactly();
  return exact;
}

void gemm(bool trans_a, bool trans_b, int64_t m, int64_t n, int64_t k, float alpha, const float* a,
          int64_t lda, const float* b, int64_t ldb, float beta, float* c, int64_t ldc) {
  row_major_gemm(trans_a, trans_b, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
}

void gemm(bool trans_a, bool trans_b, int64_t m, int64_t n, int64_t k, double alpha,
          const double* a, int64_t lda, const double* b, int64_t ldb, double beta, double* c,
          int64_t ldc) {
  row_major_gemm(trans_a, trans_b, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
}

void gemm_past(bool trans_a, int64_t m, int64_t n, int64_t k, const float* a, int64_t lda,
               const float* b, int64_t ldb, float* c, int64_t ldc) {
  const Panel panel = panel_of(trans_a, m, n, k, a, lda, b, ldb, c, ldc);
  if (panel.pays()) return panel.run_past();
  gemm(trans_a, false, m, n, k, 1.0F, a, lda, b, ldb, 0.0F, c, ldc);
}

void gemm_past(bool trans_a, int64_t m, int64_t n, int64_t k, const double* a, int64_t lda,
               const double* b, int64_t ldb, double* c, int64_t ldc) {
  gemm(trans_a, false, m, n, k, 1.0, a, lda, b, ldb, 0.0, c, ldc);
}

void gram(int64_t m, int64_t k, float alpha, const float* a, int64_t lda, float beta, float* c,
          int64_t ldc) {
  if (m == 0) return;
  if (is_narrow_gram(m, k)) return narrow_gram(m, k, alpha, a, lda, beta, c, ldc);
  const int mi = static_cast<int>(m), ki = static_cast<int>(k);
  const int la = static_cast<int>(std::max<int64_t>(lda, 1));
  const int lc = static_cast<int>(std::max<int64_t>(ldc, 1));
  // The lower triangle by rows is the upper one by columns.
  ssyrk_("U", "T", &mi, &ki, &alpha, a, &la, &beta, c, &lc);
}

void gram(int64_t m, int64_t k, double alpha, const double* a, int64_t lda, double beta, double* c,
          int64_t ldc) {
  if (m == 0) return;
  const int mi = static_cast<int>(m), ki = static_cast<int>(k);
  const int la = static_cast<int>(std::max<int64_t>(lda, 1));
  const int lc = static_cast<int>(std::max<int64_t>(ldc, 1));
  dsyrk_("U", "T", &mi, &ki, &alpha, a, &la, &beta, c, &lc);
}

void parallel_gemm(bool trans_a, bool trans_b, int64_t m, int64_t n, int64_t k, float alpha,
                   const float* a, int64_t lda, const float* b, int64_t ldb, float beta, float* c,
                   int64_t ldc) {
  split_gemm(trans_a, trans_b, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
}

void parallel_gemm(bool trans_a, bool trans_b, int64_t m, int64_t n, int64_t k, double alpha,
                   const double* a, int64_t lda, const double* b, int64_t ldb, double beta,
                   double* c, int64_t ldc) {
  split_gemm(trans_a, trans_b, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
}

}  // namespace at::blas
