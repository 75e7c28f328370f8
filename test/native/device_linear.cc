// The device layer's linear algebra, reductions and picks on the emulated device, against the
// host's LAPACK, plain loops and closed forms.
#include "core/lapack.h"
#include "device/functions/pick.h"
#include "device/functions/reduce.h"
#include "device/launch.h"
#include "device_support.h"
#include "on_device.h"

namespace at::test {

using namespace device;

namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

// A symmetric positive definite matrix, well conditioned.
std::vector<double> definite(int64_t n, uint64_t seed) {
  const auto x = Random(seed).normals(n * n);
  std::vector<double> a(static_cast<size_t>(n * n));
  for (int64_t i = 0; i < n; ++i)
    for (int64_t j = 0; j < n; ++j) {
      for (int64_t k = 0; k < n; ++k) a[i * n + j] += x[i * n + k] * x[j * n + k] / double(n);
      if (i == j) a[i * n + j] += 1;
    }
  return a;
}

std::vector<double> lower_of(int64_t n, std::vector<double> a, double above) {
  for (int64_t i = 0; i < n; ++i)
    for (int64_t j = i + 1; j < n; ++j) a[i * n + j] = above;
  return a;
}

template <class T>
void check_linear(double tolerance) {
  const auto stream = test_stream();
  Random random(5);
  const int64_t n = 7, columns = 3;
  const auto a = definite(n, 6);
  const auto as_t = as<T>(a);
  const auto factor = sent(*stream, as_t);
  CHECK_EQ(stream->cholesky(n, factor.at(), n), 0);
  const auto l = fetched(*stream, factor);
  // L Lᵀ = A, and what stands above is as it was.
  std::vector<double> product(a.size());
  for (int64_t i = 0; i < n; ++i)
    for (int64_t j = 0; j < n; ++j) {
      for (int64_t k = 0; k <= std::min(i, j); ++k)
        product[i * n + j] += double(l[i * n + k]) * double(l[j * n + k]);
      if (j > i) CHECK_EQ(l[i * n + j], as_t[i * n + j]);
    }
  near(product, a, tolerance);

  const auto b = as<T>(random.normals(n * columns));
  const auto x = sent(*stream, b), image = stream->template take<T>(n * columns);
  LowerSolve<T> solve;
  solve.n = n, solve.columns = columns;
  solve.l = factor.at(), solve.ldl = n;
  solve.x = x.at(), solve.ldx = columns;
  stream->solve(solve);
  solve.transposed = true;
  stream->solve(solve);
  // Of A, whose upper triangle is there next to L; the diagonal is L's.
  SymmetricProduct<T> times;
  times.n = n, times.columns = columns;
  times.a = factor.at(), times.lda = n;
  times.b = x.at(), times.ldb = columns;
  times.c = image.at(), times.ldc = columns;
  stream->multiply(times);
  auto back = fetched(*stream, image);
  const auto found = fetched(*stream, x);
  for (int64_t i = 0; i < n; ++i)
    for (int64_t c = 0; c < columns; ++c)
      back[i * columns + c] += T((a[i * n + i] - double(l[i * n + i]))) * found[i * columns + c];
  near(back, b, 10 * tolerance);
}

template <class T>
void check_spectra(double tolerance) {
  const auto stream = test_stream();
  const int64_t n = 6;
  const auto a = definite(n, 7);
  std::vector<double> rows = a, values(n);
  lapack::eigen(true, n, rows.data(), values.data());
  // Nobody reads the upper triangle.
  const auto sent_a = as<T>(lower_of(n, a, kNan));
  const auto matrix = sent(*stream, sent_a), found = stream->template take<T>(n);
  stream->eigen(Eigen<T>{true, n, matrix.at(), found.at()});
  near(fetched(*stream, found), values, tolerance);
  const auto vectors = fetched(*stream, matrix);
  for (int64_t j = 0; j < n; ++j) {
    std::vector<double> image(n), scaled(n);
    for (int64_t i = 0; i < n; ++i) {
      for (int64_t k = 0; k < n; ++k) image[i] += a[i * n + k] * double(vectors[j * n + k]);
      scaled[i] = values[j] * double(vectors[j * n + i]);
    }
    near(image, scaled, 10 * tolerance);
  }
  const auto again = sent(*stream, sent_a);
  stream->eigen(Eigen<T>{false, n, again.at(), found.at()});
  near(fetched(*stream, found), values, tolerance);

  const int64_t m = 4, k = 9;
  const auto b = Random(8).normals(m * k);
  std::vector<double> copy = b, u(m * m), s(m), vt(m * k);
  lapack::svd(m, k, copy.data(), u.data(), s.data(), vt.data());
  const auto wide = as<T>(b);
  const auto db = sent(*stream, wide), du = stream->template take<T>(m * m),
             ds = stream->template take<T>(m), dv = stream->template take<T>(m * k);
  stream->svd(WideSvd<T>{m, k, db.at(), du.at(), ds.at(), dv.at()});
  near(fetched(*stream, ds), s, tolerance);
  const auto left = fetched(*stream, du), right = fetched(*stream, dv);
  std::vector<double> whole(m * k);
  for (int64_t i = 0; i < m; ++i)
    for (int64_t j = 0; j < k; ++j)
      for (int64_t q = 0; q < m; ++q)
        whole[i * k + j] += double(left[i * m + q]) * s[q] * double(right[q * k + j]);
  near(whole, b, 10 * tolerance);
}

template <class T>
void check_reductions(double tolerance) {
  const auto stream = test_stream();
  const int64_t rows = 4, length = 1000, stride = length + 3;
  const auto a = as<T>(Random(9).normals(rows * stride)), b = as<T>(Random(10).normals(length));
  const auto da = sent(*stream, a), db = sent(*stream, b);
  const auto sums = stream->take<double>(rows), dots = stream->take<double>(rows),
             norms = stream->take<double>(rows), most = stream->take<double>(rows);
  sum_rows(*stream, rows, length, Sums<T>{da.at(), stride, sums.at()});
  sum_rows(*stream, rows, length, Dots<T>{da.at(), stride, db.at(), 0, dots.at()});
  sum_rows(*stream, rows, length, Dots<T>{da.at(), stride, da.at(), stride, norms.at()});
  max_rows(*stream, rows, length, Magnitudes<T>{da.at(), stride, most.at()});
  std::vector<double> sum(rows), dot(rows), norm(rows), largest(rows), running;
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t e = 0; e < length; ++e) {
      const double x = double(a[r * stride + e]);
      sum[r] += x;
      dot[r] += x * double(b[e]);
      norm[r] += x * x;
      largest[r] = std::max(largest[r], std::abs(x));
    }
  }
  near(fetched(*stream, sums), sum, 1e-13);
  near(fetched(*stream, dots), dot, 1e-13);
  near(fetched(*stream, norms), norm, 1e-13);
  CHECK_EQ(fetched(*stream, most), largest);

  const auto to = stream->template take<T>(length);
  scan_rows(*stream, 2, length / 2, RunningSums<T>{db.at(), to.at(), length / 2});
  double so_far = 0;
  for (int64_t e = 0; e < length; ++e)
    running.push_back(so_far = (e == length / 2 ? 0 : so_far) + double(b[e]));
  near(fetched(*stream, to), running, tolerance);
}

}  // namespace

TEST_CASE("device: Cholesky factors, or the minor that is not positive") {
  const auto stream = test_stream();
  const std::vector<double> a{4, -1, -1, 2, 5, -1, 2, 3, 6};
  const auto good = sent(*stream, a);
  CHECK_EQ(stream->cholesky(3, good.at(), 3), 0);
  const std::vector<double> expected{2, -1, -1, 1, 2, -1, 1, 1, 2};
  near(fetched(*stream, good), expected, 1e-15);
  const std::vector<double> indefinite{1, 0, 2, 1};
  const auto bad = sent(*stream, indefinite);
  CHECK_EQ(stream->cholesky(2, bad.at(), 2), 2);
}

TEST_CASE("device: Cholesky, solves and symmetric products in float and double") {
  check_linear<float>(1e-5);
  check_linear<double>(1e-14);
}

TEST_CASE("device: eigenvalues and singular values are LAPACK's") {
  check_spectra<float>(1e-5);
  check_spectra<double>(1e-14);
}

TEST_CASE("device: what does not converge is one sentence") {
  const auto stream = test_stream();
  const std::vector<double> a(16, kNan);
  const auto bad = sent(*stream, a), values = stream->take<double>(4);
  const std::string code =
      code_of([&] { stream->eigen(Eigen<double>{true, 4, bad.at(), values.at()}); });
  CHECK((code == "NUMERICAL" || std::isnan(fetched(*stream, values)[0])));
}

TEST_CASE("device: sums, norms, maxima and running sums of rows") {
  check_reductions<float>(1e-6);
  check_reductions<double>(1e-14);
  const auto stream = test_stream();
  const std::vector<double> with_nan{1, kNan, 2};
  const auto x = sent(*stream, with_nan), most = stream->take<double>(1);
  max_rows(*stream, 1, 3, Magnitudes<double>{x.at(), 3, most.at()});
  CHECK(std::isnan(fetched(*stream, most)[0]));
  sum_rows(*stream, 1, 0, Sums<double>{x.at(), 3, most.at()});
  CHECK_EQ(fetched(*stream, most)[0], 0);
}

TEST_CASE("device: rows are picked, and added where they came from") {
  const auto stream = test_stream();
  const int64_t length = 2;
  const std::vector<double> table{1, 2, 3, 4, 5, 6};
  const std::vector<int64_t> index{2, 0, 2};
  const auto from = sent(*stream, table);
  const auto at = sent(*stream, index);
  const auto picked = stream->take<double>(6);
  for_rows(*stream, 3, length, PickRows<double>{from.at(), at.at(), picked.at(), length});
  CHECK_EQ(fetched(*stream, picked), std::vector<double>{5, 6, 1, 2, 5, 6});
  // The transpose: row 0 gets entry 1, row 1 none, row 2 entries 0 and 2.
  const std::vector<int64_t> starts{0, 1, 1, 3}, order{1, 0, 2};
  const auto ds = sent(*stream, starts), d_order = sent(*stream, order);
  for_rows(*stream, 3, length,
           AddPicked<double>{picked.at(), ds.at(), d_order.at(), from.at(), length});
  CHECK_EQ(fetched(*stream, from), std::vector<double>{2, 4, 3, 4, 15, 18});
}

}  // namespace at::test
