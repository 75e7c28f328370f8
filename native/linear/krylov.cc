#include "linear/krylov.h"

#include <algorithm>
#include <cfloat>
#include <cmath>
#include <utility>

#include "core/blas.h"
#include "core/error.h"
#include "core/lapack.h"
#include "core/parallel.h"

namespace at::linear {

namespace {

// Numbers of a vector that stay in a core's cache while the basis passes by.
constexpr int64_t kPiece = 4096;
// A projection that takes away more is done again (Giraud et al. 2005).
const double kKept = std::sqrt(0.5);
// What is left of a product is rounding below this share of K's norm.
constexpr double kNothing = 1e-14;
// Products this far from those of a symmetric matrix are no rounding, not in float32 either.
constexpr double kAsymmetric = 1e-2;

using Vector = std::vector<double>;

double dot(const Vector& a, const Vector& b) {
  return lapack::dot(static_cast<int64_t>(a.size()), a.data(), b.data());
}

double norm(const Vector& a) { return std::sqrt(dot(a, a)); }

void add_to(int64_t count, double factor, const double* __restrict x, double* __restrict y) {
  for (int64_t i = 0; i < count; ++i) y[i] += factor * x[i];
}

void multiply(Vector& v, double factor) {
  for (double& x : v) x *= factor;
}

}  // namespace

std::vector<Vector> KrylovBasis::columns_of(const std::vector<double>& block,
                                            int64_t columns) const {
  std::vector<Vector> out(static_cast<size_t>(columns), Vector(static_cast<size_t>(n_)));
  for (int64_t i = 0; i < n_; ++i)
    for (int64_t c = 0; c < columns; ++c)
      out[static_cast<size_t>(c)][static_cast<size_t>(i)] = block[i * columns + c];
  return out;
}

std::vector<double> KrylovBasis::next() const {
  std::vector<double> block(static_cast<size_t>(n_ * width()));
  for (int64_t i = 0; i < n_; ++i)
    for (int64_t c = 0; c < width(); ++c)
      block[i * width() + c] = waiting_[static_cast<size_t>(c)].q[static_cast<size_t>(i)];
  return block;
}

void KrylovBasis::add(const std::vector<double>& block, int64_t columns, bool append) {
  if (append) {
    recall();
  } else {
    for (Outer& each : waiting_) aside_.push_back(std::move(each));
    waiting_.clear();
  }
  since_ = size();
  dimensions_ = n_ - size();
  fresh_from_ = width();
  for (Vector& v : columns_of(block, columns)) {
    double largest = 0;
    for (double x : v) largest = std::max(largest, std::abs(x));
    if (width() >= dimensions_ || !(largest > 0) || !std::isfinite(largest)) continue;
    multiply(v, 1 / largest);
    const double before = norm(v), length = orthogonalise(v, false, nullptr);
    if (length <= kNothing * before) continue;
    multiply(v, 1 / length);
    // None of what met K led here.
    waiting_.push_back({std::move(v), Vector(static_cast<size_t>(size()), 0.0)});
  }
  fresh_ = width() - fresh_from_;
}

void KrylovBasis::recall() {
  for (Outer& each : aside_) {
    each.c.resize(static_cast<size_t>(size()), 0.0);
    // What later vectors took of it is in H, and what waits already gets its part of C'.
    std::vector<double> along(waiting_.size());
    const double length = orthogonalise(each.q, false, &along);
    for (size_t k = 0; k < along.size(); ++k)
      add_to(size(), along[k], each.c.data(), waiting_[k].c.data());
    if (length <= kNothing || size() + width() >= n_) continue;
    multiply(each.q, 1 / length);
    for (double& c : each.c) c *= length;
    waiting_.push_back(std::move(each));
  }
  aside_.clear();
  // The block is no longer one of random vectors: it says nothing about what is hidden.
  since_ = size();
  fresh_ = 0;
}

void KrylovBasis::set_scale(const std::vector<double>& products) {
  double largest = 0;
  for (double x : products) {
    if (!std::isfinite(x)) throw Error("BAD_INPUT", "Expected finite products with the kernel");
    largest = std::max(largest, std::abs(x));
  }
  if (scaled_ || !(largest > 0)) return;
  std::frexp(largest, &exponent_);
  scaled_ = true;
}

void KrylovBasis::extend(const std::vector<double>& products) {
  set_scale(products);
  const int64_t count = width(), before = size();
  std::vector<Vector> rest = columns_of(products, count);
  for (Vector& image : rest) {
    for (double& x : image) x = std::ldexp(x, -exponent_);
    norm_ = std::max(norm_, norm(image));
  }
  const std::vector<Outer> met = std::move(waiting_);
  waiting_.clear();
  for (const Outer& each : met) vectors_.push_back(each.q);
  // In exact arithmetic the last two blocks are all there is; what rounding leaves is small next to
  // the rest then.
  std::vector<double> along(static_cast<size_t>(size() * count));
  project(rest, static_cast<size_t>(std::max<int64_t>(before - last_, 0)), &along);
  for (int pass = 0; pass < 3; ++pass) {
    std::vector<double> lengths;
    for (const Vector& v : rest) lengths.push_back(norm(v));
    project(rest, 0, &along);
    bool settled = true;
    for (int64_t c = 0; c < count; ++c)
      settled = settled && norm(rest[static_cast<size_t>(c)]) >= kKept * lengths[c];
    if (settled) break;
  }
  check(along, before, met);
  for (int64_t c = 0; c < count; ++c) {
    Vector row(static_cast<size_t>(before + c + 1));
    for (int64_t k = 0; k <= before + c; ++k) row[static_cast<size_t>(k)] = along[k * count + c];
    h_.push_back(std::move(row));
  }
  last_ = count;
  wait_for(std::move(rest));
}

void KrylovBasis::check(const std::vector<double>& along, int64_t before,
                        const std::vector<Outer>& met) {
  const auto count = static_cast<int64_t>(met.size());
  for (int64_t c = 0; c < count; ++c) {
    Vector known = met[static_cast<size_t>(c)].c;
    for (const Outer& each : aside_)
      add_to(static_cast<int64_t>(each.c.size()), dot(each.q, met[static_cast<size_t>(c)].q),
             each.c.data(), known.data());
    double error = 0;
    for (int64_t k = 0; k < before; ++k) {
      const double off = along[k * count + c] - known[k];
      error += off * off;
    }
    noise_ = std::max(noise_, std::sqrt(error));
  }
  if (noise_ > kAsymmetric * norm_)
    throw Error("BAD_INPUT", "Expected products with a symmetric matrix, but these are not");
}

void KrylovBasis::wait_for(std::vector<Vector> rest) {
  const int64_t count = last_;
  for (int64_t c = 0; c < count; ++c) {
    Vector& v = rest[static_cast<size_t>(c)];
    const auto at = static_cast<size_t>(size() - count + c);
    std::vector<double> along(waiting_.size());
    const double length = orthogonalise(v, true, &along);
    for (size_t k = 0; k < along.size(); ++k) waiting_[k].c[at] = along[k];
    if (length <= kNothing * norm_ || size() + width() >= n_) continue;
    multiply(v, 1 / length);
    waiting_.push_back({std::move(v), Vector(static_cast<size_t>(size()), 0.0)});
    waiting_.back().c[at] = length;
  }
}

double KrylovBasis::orthogonalise(Vector& v, bool outside, std::vector<double>* along) const {
  double before = norm(v);
  for (int pass = 0; pass < 4; ++pass) {
    if (pass > 0 || !outside) {
      std::vector<Vector> one;
      one.push_back(std::move(v));
      project(one, 0, nullptr);
      v = std::move(one[0]);
    }
    for (size_t k = 0; k < waiting_.size(); ++k) {
      const Vector& q = waiting_[k].q;
      const double part = dot(q, v);
      add_to(n_, -part, q.data(), v.data());
      if (along) (*along)[k] += part;
    }
    const double after = norm(v);
    if (after >= kKept * before || after == 0) return after;
    before = after;
  }
  return before;
}

void KrylovBasis::project(std::vector<Vector>& v, size_t first, std::vector<double>* along) const {
  const auto count = static_cast<int64_t>(vectors_.size() - first);
  const auto columns = static_cast<int64_t>(v.size());
  std::vector<double> parts(static_cast<size_t>(count * columns));
  parallel_for(count, grain_for(n_ * columns), [&](int64_t begin, int64_t end) {
    for (int64_t k = begin; k < end; ++k)
      for (int64_t c = 0; c < columns; ++c)
        parts[k * columns + c] = dot(vectors_[first + static_cast<size_t>(k)], v[c]);
  });
  parallel_for(n_, std::max(kPiece, grain_for(count * columns)), [&](int64_t begin, int64_t end) {
    for (int64_t from = begin; from < end; from += kPiece) {
      const int64_t piece = std::min(kPiece, end - from);
      for (int64_t k = 0; k < count; ++k)
        for (int64_t c = 0; c < columns; ++c)
          add_to(piece, -parts[k * columns + c],
                 vectors_[first + static_cast<size_t>(k)].data() + from, v[c].data() + from);
    }
  });
  if (!along) return;
  for (int64_t e = 0; e < count * columns; ++e)
    (*along)[static_cast<int64_t>(first) * columns + e] += parts[e];
}

std::vector<double> KrylovBasis::outside(const std::vector<double>& block, int64_t columns) const {
  std::vector<Vector> v = columns_of(block, columns);
  for (int pass = 0; pass < 2; ++pass) project(v, 0, nullptr);
  std::vector<double> out(static_cast<size_t>(n_ * columns));
  for (int64_t i = 0; i < n_; ++i)
    for (int64_t c = 0; c < columns; ++c)
      out[i * columns + c] = v[static_cast<size_t>(c)][static_cast<size_t>(i)];
  return out;
}

namespace {

struct Eigen {
  // Descending; row j of `vectors` belongs to values[j].
  std::vector<double> values, vectors;
};

// Of the trailing part of the symmetric matrix with these rows of its lower triangle.
Eigen eigen_of(const std::vector<Vector>& lower, int64_t from) {
  const int64_t m = static_cast<int64_t>(lower.size()) - from;
  std::vector<double> a(static_cast<size_t>(m * m)), ascending(static_cast<size_t>(m));
  for (int64_t i = 0; i < m; ++i)
    for (int64_t j = 0; j <= i; ++j) a[i * m + j] = a[j * m + i] = lower[from + i][from + j];
  lapack::eigen(true, m, a.data(), ascending.data());
  Eigen out;
  out.values.assign(ascending.rbegin(), ascending.rend());
  out.vectors.resize(static_cast<size_t>(m * m));
  for (int64_t j = 0; j < m; ++j)
    std::copy_n(a.data() + (m - 1 - j) * m, m, out.vectors.data() + j * m);
  return out;
}

// (rows, m): what each row, zero beyond its end, has from `from` on, times each eigenvector of m
// numbers.
std::vector<double> couplings(const std::vector<const Vector*>& rows, int64_t from,
                              const Eigen& eigen) {
  const auto m = static_cast<int64_t>(eigen.values.size());
  const auto count = static_cast<int64_t>(rows.size());
  std::vector<double> c(static_cast<size_t>(count * m)), out(static_cast<size_t>(count * m));
  for (int64_t i = 0; i < count; ++i)
    std::copy(rows[static_cast<size_t>(i)]->begin() + from, rows[static_cast<size_t>(i)]->end(),
              c.begin() + i * m);
  if (count > 0)
    blas::gemm(false, true, count, m, m, 1.0, c.data(), m, eigen.vectors.data(), m, 0.0, out.data(),
               m);
  return out;
}

// Σ_i |z[i, j]|^power over all rows.
double column_sum(const std::vector<double>& z, int64_t m, int64_t j, int power) {
  double sum = 0;
  for (size_t e = static_cast<size_t>(j); e < z.size(); e += static_cast<size_t>(m))
    sum += power == 2 ? z[e] * z[e] : std::abs(z[e]);
  return sum;
}

}  // namespace

KrylovBasis::Ritz KrylovBasis::ritz() {
  const int64_t m = size();
  Eigen eigen = eigen_of(h_, 0);
  std::vector<const Vector*> waiting, aside;
  for (const Outer& each : waiting_) waiting.push_back(&each.c);
  for (const Outer& each : aside_) aside.push_back(&each.c);
  const std::vector<double> own = couplings(waiting, 0, eigen), other = couplings(aside, 0, eigen);
  Ritz out;
  for (int64_t j = 0; j < m; ++j) {
    const double square = column_sum(own, m, j, 2) + noise_ * noise_;
    out.values.push_back(std::ldexp(eigen.values[j], exponent_));
    out.own.push_back(std::ldexp(std::sqrt(square), exponent_));
    // Those aside are not orthogonal to the others: their lengths add up at most.
    out.residuals.push_back(std::ldexp(std::sqrt(square) + column_sum(other, m, j, 1), exponent_));
    out.first.push_back(eigen.vectors[j * m]);
  }
  coefficients_ = std::move(eigen.vectors);
  ritz_values_ = out.values;
  return out;
}

std::vector<double> KrylovBasis::first_column(const std::function<double(double)>& f) const {
  const auto m = static_cast<int64_t>(ritz_values_.size());
  std::vector<double> out(static_cast<size_t>(m));
  for (int64_t j = 0; j < m; ++j) {
    const double* row = coefficients_.data() + j * m;
    add_to(m, f(ritz_values_[j]) * row[0], row, out.data());
  }
  return out;
}

std::vector<double> KrylovBasis::combine(const std::vector<double>& c) const {
  std::vector<double> out(static_cast<size_t>(n_));
  for (size_t k = 0; k < c.size(); ++k) add_to(n_, c[k], vectors_[k].data(), out.data());
  return out;
}

std::vector<double> KrylovBasis::vectors(int64_t count) const {
  std::vector<double> result(static_cast<size_t>(count * n_));
  parallel_for(count, 1, [&](int64_t begin, int64_t end) {
    for (int64_t j = begin; j < end; ++j)
      for (int64_t k = 0; k < size(); ++k)
        add_to(n_, coefficients_[j * size() + k], vectors_[static_cast<size_t>(k)].data(),
               result.data() + j * n_);
  });
  return result;
}

// Let A be K outside of the vectors from before the last `add`, W the ones since then and
// T = WᵀKW. An eigenvector u of A to an eigenvalue λ has y = Wᵀu and q = Qᵀu with Ty + Cᵀq = λy, so
// y = Xq, X = (λ − T)⁻¹Cᵀ, and qᵀ(I + XᵀX)q ≤ 1. The random vectors F are in W's first block:
// Fᵀu = X_F q lies in an ellipsoid with Σ = X_F (I + XᵀX)⁻¹ X_Fᵀ, which shrinks as the Krylov space
// grows and as λ grows (for one vector it is the Christoffel function, the largest mass that a
// measure with the known moments can have at λ). u has nearly normal parts of variance 1/dimensions
// along F: that along one of them alone is below the longest axis with at most this probability.
KrylovBasis::Unseen KrylovBasis::unseen(double level) const {
  const int64_t m = size() - since_, waits = width();
  Unseen out;
  if (m <= 0 || fresh_ <= 0) return out;
  const Eigen eigen = eigen_of(h_, since_);
  std::vector<const Vector*> rows;
  for (const Outer& each : waiting_) rows.push_back(&each.c);
  const std::vector<double> z = couplings(rows, since_, eigen);
  out.value = std::ldexp(eigen.values[0], exponent_);
  out.residual = std::ldexp(std::sqrt(column_sum(z, m, 0, 2) + noise_ * noise_), exponent_);
  // K maps the space to itself: its eigenvalues there are known.
  if (waits == 0) out.log_probability = -HUGE_VAL;
  const double lambda = std::ldexp(level, -exponent_);
  if (waits == 0 || !(eigen.values[0] < lambda)) return out;
  // Rows of Xᵀ: Σ_j z_j s_jᵀ / (λ − θ_j).
  std::vector<double> scaled = z, x(static_cast<size_t>(waits * m));
  for (int64_t i = 0; i < waits; ++i)
    for (int64_t j = 0; j < m; ++j) scaled[i * m + j] /= lambda - eigen.values[j];
  blas::gemm(false, false, waits, m, m, 1.0, scaled.data(), m, eigen.vectors.data(), m, 0.0,
             x.data(), m);
  std::vector<double> g(static_cast<size_t>(waits * waits));
  blas::gemm(false, true, waits, waits, m, 1.0, x.data(), m, x.data(), m, 0.0, g.data(), waits);
  for (int64_t i = 0; i < waits; ++i) g[i * waits + i] += 1;
  if (lapack::cholesky(waits, g.data(), waits) != 0) return out;
  std::vector<double> fresh(static_cast<size_t>(waits * fresh_));
  for (int64_t i = 0; i < waits; ++i)
    std::copy_n(x.data() + i * m + fresh_from_, fresh_, fresh.data() + i * fresh_);
  lapack::solve_lower(false, waits, fresh_, g.data(), waits, fresh.data(), fresh_);
  std::vector<double> sigma(static_cast<size_t>(fresh_ * fresh_)),
      axes(static_cast<size_t>(fresh_));
  blas::gemm(true, false, fresh_, fresh_, waits, 1.0, fresh.data(), fresh_, fresh.data(), fresh_,
             0.0, sigma.data(), fresh_);
  lapack::eigen(false, fresh_, sigma.data(), axes.data());
  const double spread = static_cast<double>(dimensions_) * std::max(axes.back(), DBL_MIN);
  out.log_probability = std::min(0.0, 0.5 * std::log(2 / std::acos(-1.0) * spread));
  return out;
}

}  // namespace at::linear
