// Factors of A + shift·I against closed forms, all of them by every way there is.
#include <memory>
#include <utility>

#include "core/parallel.h"
#include "linear/alignment.h"
#include "linear/cholesky.h"
#include "linear/iterative.h"
#include "linear/spectrum.h"
#include "support.h"

namespace at::test {

namespace {

using Matrix = std::vector<double>;

constexpr int64_t kSize = 24;
constexpr double kShift = 0.3;

// The second difference: 2 on the diagonal, −1 next to it.
Matrix second_difference(int64_t n) {
  Matrix a(static_cast<size_t>(n * n));
  for (int64_t i = 0; i < n; ++i) {
    a[i * n + i] = 2;
    if (i > 0) a[i * n + i - 1] = a[(i - 1) * n + i] = -1;
  }
  return a;
}

double eigenvalue(int64_t n, int64_t k) { return 2 - 2 * std::cos((k + 1) * M_PI / (n + 1)); }

double eigenvector(int64_t n, int64_t k, int64_t i) {
  return std::sqrt(2.0 / (n + 1)) * std::sin((i + 1) * (k + 1) * M_PI / (n + 1));
}

// (second difference + shift)⁻¹: with 2 cosh t = 2 + shift the entries are products of sinh.
Matrix known_inverse(int64_t n, double shift) {
  const double t = std::acosh(1 + shift / 2);
  Matrix out(static_cast<size_t>(n * n));
  for (int64_t i = 0; i < n; ++i)
    for (int64_t j = 0; j < n; ++j)
      out[i * n + j] = std::sinh((std::min(i, j) + 1) * t) * std::sinh((n - std::max(i, j)) * t) /
                       (std::sinh(t) * std::sinh((n + 1) * t));
  return out;
}

double known_log_determinant(int64_t n, double shift) {
  double sum = 0;
  for (int64_t k = 0; k < n; ++k) sum += std::log(eigenvalue(n, k) + shift);
  return sum;
}

Matrix identity(int64_t n) {
  Matrix out(static_cast<size_t>(n * n));
  for (int64_t i = 0; i < n; ++i) out[i * n + i] = 1;
  return out;
}

Matrix shifted(Matrix a, int64_t n, double shift) {
  for (int64_t i = 0; i < n; ++i) a[i * n + i] += shift;
  return a;
}

// a aᵀ for a (n, k).
Matrix outer(const Matrix& a, int64_t n, int64_t k) {
  Matrix out(static_cast<size_t>(n * n));
  for (int64_t i = 0; i < n; ++i)
    for (int64_t j = 0; j < n; ++j)
      for (int64_t l = 0; l < k; ++l) out[i * n + j] += a[i * k + l] * a[j * k + l];
  return out;
}

// A matrix whose tiles of three rows are fetched one after another, as a file's would be: nobody
// ever sees all of it.
class TileOperator final : public linear::Operator {
 public:
  TileOperator(int64_t n, Matrix a) : n_(n), a_(std::move(a)) {}
  int64_t size() const override { return n_; }
  void apply(int64_t columns, const double* x, double* y, const Control& control) const override {
    std::fill_n(y, n_ * columns, 0.0);
    for (int64_t first = 0; first < n_; first += 3) {
      control.poll();
      const int64_t rows = std::min<int64_t>(3, n_ - first);
      const Matrix tile = fetch(first, rows);
      for (int64_t i = 0; i < rows; ++i)
        for (int64_t j = 0; j < n_; ++j)
          for (int64_t c = 0; c < columns; ++c)
            y[(first + i) * columns + c] += tile[i * n_ + j] * x[j * columns + c];
    }
  }
  std::vector<double> diagonal(const Control&) const override {
    std::vector<double> out;
    for (int64_t i = 0; i < n_; ++i) out.push_back(fetch(i, 1)[static_cast<size_t>(i)]);
    return out;
  }

 private:
  Matrix fetch(int64_t first, int64_t rows) const {
    return {a_.begin() + first * n_, a_.begin() + (first + rows) * n_};
  }
  int64_t n_;
  Matrix a_;
};

// Every way to factor the second difference + shift, with what it needs.
struct Ways {
  explicit Ways(int64_t n = kSize, double shift = kShift)
      : tiles(n, second_difference(n)), omega(Random(7).normals(n * 8)) {
    const Control never;
    auto spectrum = std::make_shared<const linear::Spectrum>(n, second_difference(n));
    all.push_back(std::make_unique<linear::CholeskyFactor>(n, second_difference(n), shift, never));
    all.push_back(std::make_unique<linear::EigenFactor>(spectrum, shift));
    const linear::IterativeOptions options{1e-13, 500, 50};
    all.push_back(std::make_unique<linear::IterativeFactor>(tiles, shift, omega, options, never));
    all.push_back(std::make_unique<linear::IterativeFactor>(tiles, shift, none, options, never));
  }
  TileOperator tiles;
  Matrix omega, none;
  std::vector<std::unique_ptr<linear::Factor>> all;
};

}  // namespace

TEST_CASE("linear: solutions of every factor are those of the known inverse") {
  const Ways ways;
  for (const auto& factor : ways.all) {
    const auto found = factor->solve(identity(kSize), kSize);
    CHECK(linear::succeeded(found.status));
    near(found.value, known_inverse(kSize, kShift), 1e-11);
  }
}

TEST_CASE("linear: diagonal blocks of the inverse, by every factor") {
  const Ways ways;
  const Matrix inverse = known_inverse(kSize, kShift);
  for (const int64_t block : {int64_t{1}, int64_t{3}, int64_t{8}, kSize}) {
    Matrix truth;
    for (int64_t g = 0; g < kSize; g += block)
      for (int64_t i = 0; i < block; ++i)
        for (int64_t j = 0; j < block; ++j) truth.push_back(inverse[(g + i) * kSize + g + j]);
    for (const auto& factor : ways.all) near(factor->inverse_blocks(block).value, truth, 1e-11);
  }
}

TEST_CASE("linear: the log-determinant, exactly or within its standard error") {
  const Ways ways;
  const double truth = known_log_determinant(kSize, kShift);
  for (size_t way = 0; way < 3; ++way) {
    const auto found = ways.all[way]->log_determinant();
    CHECK(linear::succeeded(found.status));
    if (way < 2) {
      CHECK_EQ(found.value.error, 0);
      CHECK(std::abs(found.value.value - truth) < 1e-11 * truth);
    } else {
      CHECK(found.value.error > 0);
      CHECK(std::abs(found.value.value - truth) < 4 * found.value.error);
    }
  }
  CHECK_EQ(code_of([&] { ways.all[3]->log_determinant(); }), "BAD_ARGUMENT");
}

TEST_CASE("linear: the estimated log-determinant has no bias: all unit vectors give it exactly") {
  // Σ_i e_iᵀ log(A) e_i, times n for the mean over the "random" vectors √n e_i.
  const TileOperator tiles(kSize, second_difference(kSize));
  Matrix omega = identity(kSize);
  for (double& x : omega) x *= std::sqrt(static_cast<double>(kSize));
  const linear::IterativeFactor factor(tiles, kShift, omega, {1e-13, 500, 50}, Control());
  const double truth = known_log_determinant(kSize, kShift);
  CHECK(std::abs(factor.log_determinant().value.value - truth) < 1e-10 * truth);
}

TEST_CASE("linear: draws have the covariance asked for") {
  // A draw is linear in its normal numbers: those of all unit vectors make a root R, and R Rᵀ is
  // the covariance itself.
  const Ways ways;
  const Matrix matrix = shifted(second_difference(kSize), kSize, kShift);
  for (const auto& factor : ways.all) {
    const auto root = factor->sample(linear::Gaussian::covariance, identity(kSize), kSize).value;
    near(outer(root, kSize, kSize), matrix, 1e-11);
    const auto inverse = factor->sample(linear::Gaussian::precision, identity(kSize), kSize).value;
    near(outer(inverse, kSize, kSize), known_inverse(kSize, kShift), 1e-11);
  }
}

TEST_CASE("linear: without a shift, the pseudo-inverse of what has none") {
  // The second difference less its least eigenvalue's part.
  const int64_t n = kSize;
  Matrix a(static_cast<size_t>(n * n)), inverse = a;
  for (int64_t k = 1; k < n; ++k)
    for (int64_t i = 0; i < n; ++i)
      for (int64_t j = 0; j < n; ++j) {
        const double part = eigenvector(n, k, i) * eigenvector(n, k, j);
        a[i * n + j] += eigenvalue(n, k) * part;
        inverse[i * n + j] += part / eigenvalue(n, k);
      }
  const auto spectrum = std::make_shared<const linear::Spectrum>(n, a);
  CHECK_EQ(spectrum->rank(), n - 1);
  const linear::EigenFactor factor(spectrum, 0);
  const auto found = factor.solve(identity(n), n);
  CHECK_EQ(found.status, linear::Status::rank_deficient);
  CHECK_EQ(found.statistics.rank, n - 1);
  near(found.value, inverse, 1e-10);
  CHECK_EQ(factor.log_determinant().value.value, -INFINITY);
  // A singular Gaussian is one.
  const auto draw = factor.sample(linear::Gaussian::covariance, identity(n), n);
  CHECK_EQ(draw.status, linear::Status::solved);
  near(outer(draw.value, n, n), a, 1e-11);
}

TEST_CASE("linear: leave-one-out is what fits without the samples say, by every factor") {
  const int64_t n = kSize, group = 3, columns = 2;
  const Ways ways;
  const Matrix a = second_difference(n), y = Random(3).normals(n * columns);
  Matrix truth = y;
  for (int64_t g = 0; g < n; g += group) {
    std::vector<int64_t> kept;
    for (int64_t i = 0; i < n; ++i)
      if (i < g || i >= g + group) kept.push_back(i);
    const auto m = static_cast<int64_t>(kept.size());
    Matrix part, targets;
    for (int64_t i : kept) {
      for (int64_t j : kept) part.push_back(a[i * n + j]);
      for (int64_t c = 0; c < columns; ++c) targets.push_back(y[i * columns + c]);
    }
    const linear::CholeskyFactor rest(m, part, kShift, Control());
    const Matrix alpha = rest.solve(targets, columns).value;
    for (int64_t i = g; i < g + group; ++i)
      for (int64_t c = 0; c < columns; ++c)
        for (int64_t j = 0; j < m; ++j)
          truth[i * columns + c] -= a[i * n + kept[j]] * alpha[j * columns + c];
  }
  for (const auto& factor : ways.all) {
    Matrix found = factor->solve(y, columns).value;
    linear::leave_out(*factor, columns, group, found);
    near(found, truth, 1e-10);
  }
}

TEST_CASE("linear: a matrix of several panels, by a known inverse") {
  const int64_t n = 700;
  // A full matrix whose inverse has three diagonals.
  const Matrix a = known_inverse(n, kShift), b = Random(8).normals(n);
  const Matrix inverse = shifted(second_difference(n), n, kShift);
  Matrix truth(n);
  for (int64_t i = 0; i < n; ++i)
    for (int64_t j = 0; j < n; ++j) truth[i] += inverse[i * n + j] * b[j];
  with_threads(0, [&] {
    const linear::CholeskyFactor factor(n, a, 0, Control());
    near(factor.solve(b, 1).value, truth, 1e-12);
    CHECK(std::abs(factor.log_determinant().value.value + known_log_determinant(n, kShift)) <
          1e-10);
    Matrix again(n);
    factor.apply(1, truth.data(), again.data(), Control());
    near(again, b, 1e-12);
    for (const int64_t bad : {1, 192, 193, 500, 700}) {
      Matrix broken = a;
      broken[(bad - 1) * n + bad - 1] = -1;
      CHECK_EQ(linear::cholesky(n, broken.data()), bad);
    }
  });
}

TEST_CASE("linear: every status is reached, and says what to try") {
  using linear::Status;
  const int64_t n = kSize;
  const Control never;
  const TileOperator tiles(n, second_difference(n));
  const Matrix b = Random(5).normals(n), none;
  const auto solved = [&](linear::IterativeOptions options) {
    return linear::IterativeFactor(tiles, kShift, none, options, never).solve(b, 1);
  };
  const auto converged = solved({1e-8, 100, 50});
  CHECK_EQ(converged.status, Status::converged);
  CHECK(converged.statistics.residual <= 1e-8);
  const auto limited = solved({1e-8, 3, 50});
  CHECK_EQ(limited.status, Status::iteration_limit);
  CHECK_EQ(limited.statistics.iterations, 3);
  CHECK(limited.statistics.residual > 1e-8);
  // A matrix that is not positive definite lets the iteration go nowhere.
  const linear::IterativeFactor indefinite(tiles, -2, none, {1e-8, 100, 50}, never);
  CHECK_EQ(indefinite.solve(b, 1).status, Status::stalled);
  CHECK_EQ(linear::CholeskyFactor(n, second_difference(n), 0, never).status(), Status::solved);
  CHECK_EQ(linear::CholeskyFactor(n, second_difference(n), -2, never).status(),
           Status::not_positive);
  const auto zero = std::make_shared<const linear::Spectrum>(n, Matrix(n * n));
  CHECK_EQ(linear::EigenFactor(zero, 0).status(), Status::rank_deficient);
  std::vector<std::string> told;
  for (Status status : {Status::solved, Status::converged, Status::rank_deficient,
                        Status::not_positive, Status::iteration_limit, Status::stalled}) {
    told.push_back(std::string(linear::name_of(status)) + ": " + linear::advice(status));
    CHECK(told.back().size() > 20);
  }
  std::sort(told.begin(), told.end());
  CHECK(std::adjacent_find(told.begin(), told.end()) == told.end());
}

TEST_CASE("linear: b = 0 has the solution 0, wherever the iteration starts") {
  const TileOperator tiles(kSize, second_difference(kSize));
  const Matrix none, start = Random(9).normals(kSize), zero(static_cast<size_t>(kSize));
  const linear::IterativeFactor factor(tiles, kShift, none, {}, Control());
  CHECK_EQ(factor.solve(zero, 1, start, Control()).value, zero);
}

TEST_CASE("linear: numbers that are not finite and matrices that are not symmetric are refused") {
  Matrix a = second_difference(kSize);
  a[5] = NAN;
  CHECK_EQ(code_of([&] { linear::CholeskyFactor(kSize, a, 1, Control()); }), "BAD_INPUT");
  a[5] = 0.5;
  CHECK_EQ(code_of([&] { linear::CholeskyFactor(kSize, a, 1, Control()); }), "BAD_INPUT");
  a[5] = NAN;
  const TileOperator tiles(kSize, a);
  const Matrix none;
  const linear::IterativeFactor factor(tiles, kShift, none, {}, Control());
  CHECK_EQ(code_of([&] { factor.solve(identity(kSize), kSize); }), "BAD_INPUT");
}

TEST_CASE("linear: a sketch of full rank is the matrix, and one product then solves") {
  // Rank 6 of 40 rows.
  const int64_t n = 40, rank = 6;
  const Matrix a = outer(Random(11).normals(n * rank), n, rank);
  const TileOperator tiles(n, a);
  const Matrix omega = Random(12).normals(n * 10), b = Random(13).normals(n);
  const linear::Nystrom sketch(tiles, 10, omega, Control());
  const linear::Spectrum spectrum(n, a);
  near(Matrix(sketch.values().begin(), sketch.values().begin() + rank),
       Matrix(spectrum.values().begin(), spectrum.values().begin() + rank), 1e-10);
  const linear::IterativeFactor factor(tiles, 1e-6, omega, {1e-9, 100, 50}, Control());
  const auto found = factor.solve(b, 1);
  CHECK_EQ(found.status, linear::Status::converged);
  CHECK(found.statistics.iterations <= 5);
  near(found.value, linear::CholeskyFactor(n, a, 1e-6, Control()).solve(b, 1).value, 1e-7);
}

TEST_CASE("linear: the bits do not depend on the number of threads") {
  const int64_t n = 500;
  const Matrix features = Random(1).normals(n * 30), b = Random(2).normals(n * 3);
  Matrix a = outer(features, n, 30);
  const auto run = [&](int threads) {
    return with_threads(threads, [&] {
      const linear::CholeskyFactor direct(n, a, 0.1, Control());
      const Matrix omega = Random(4).normals(n * 20);
      const linear::IterativeFactor iterative(direct, 0.1, omega, {}, Control());
      Matrix solved = direct.solve(b, 3).value;
      const Matrix alone = direct.solve({b.begin(), b.begin() + n}, 1).value;
      solved.insert(solved.end(), alone.begin(), alone.end());
      return std::make_pair(solved, iterative.solve(b, 3).value);
    });
  };
  const auto one = run(1), two = run(2);
  CHECK(one.first == two.first);
  near(one.second, two.second, 1e-12);
  near(Matrix(one.first.begin(), one.first.begin() + 3 * n), one.second, 1e-8);
}

TEST_CASE("linear: cosines of matrices of either precision, plain and centred") {
  const int64_t rows = 70, columns = 45;
  const Matrix a = Random(21).normals(rows * columns);
  Matrix b = Random(22).normals(rows * columns);
  for (double& x : b) x = static_cast<float>(x + 3);
  const std::vector<float> narrow(b.begin(), b.end());
  for (const bool centred : {false, true}) {
    const auto entry = [&](const Matrix& x, int64_t i, int64_t j) {
      if (!centred) return x[i * columns + j];
      double row = 0, column = 0, whole = 0;
      for (int64_t k = 0; k < columns; ++k) row += x[i * columns + k] / columns;
      for (int64_t k = 0; k < rows; ++k) column += x[k * columns + j] / rows;
      for (double each : x) whole += each / static_cast<double>(rows * columns);
      return x[i * columns + j] - row - column + whole;
    };
    std::vector<double> truth(3);
    for (int64_t i = 0; i < rows; ++i)
      for (int64_t j = 0; j < columns; ++j) {
        const double u = entry(a, i, j), v = entry(b, i, j);
        truth[0] += u * v, truth[1] += u * u, truth[2] += v * v;
      }
    const linear::MatrixView left{rows, columns, nullptr, a.data()},
        right{rows, columns, narrow.data(), nullptr};
    const auto found = linear::moments(left, right, centred, Control());
    near(std::vector<double>{found.ab, found.aa, found.bb}, truth, 1e-12);
  }
  // A constant matrix has nothing left when centred.
  const Matrix constant(static_cast<size_t>(rows * columns), 0.1);
  const linear::MatrixView flat{rows, columns, nullptr, constant.data()};
  const auto whole = linear::moments(flat, flat, false, Control());
  const auto middle = linear::moments(flat, flat, true, Control());
  CHECK(std::isnan(linear::centred_cosine(middle, whole.aa, whole.bb)));
}

TEST_CASE("linear: the effective rank of k equal eigenvalues is k") {
  CHECK(std::abs(linear::effective_rank({2, 2, 2, 0, -1e-9}) - 3) < 1e-12);
  CHECK_EQ(linear::effective_rank({0, 0}), 0);
}

}  // namespace at::test
