#include "linear/iterative.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <string>
#include <utility>

#include "core/error.h"
#include "core/lapack.h"
#include "core/parallel.h"
#include "linear/krylov.h"

namespace at::linear {

namespace {

// Columns of the inverse that advance together.
constexpr int64_t kTogether = 64;

double dot(const std::vector<double>& a, const std::vector<double>& b) {
  return lapack::dot(static_cast<int64_t>(a.size()), a.data(), b.data());
}

double norm(const std::vector<double>& a) { return std::sqrt(dot(a, a)); }

// Column c of x (n, columns).
std::vector<double> column_of(const std::vector<double>& x, int64_t columns, int64_t c) {
  std::vector<double> out;
  out.reserve(x.size() / static_cast<size_t>(columns));
  for (size_t e = static_cast<size_t>(c); e < x.size(); e += static_cast<size_t>(columns))
    out.push_back(x[e]);
  return out;
}

}  // namespace

ConjugateGradients::ConjugateGradients(int64_t n, double shift, const std::vector<double>& b,
                                       int64_t columns,
                                       std::shared_ptr<const Nystrom> preconditioner,
                                       IterativeOptions options)
    : n_(n),
      shift_(shift),
      preconditioner_(std::move(preconditioner)),
      options_(options),
      columns_(static_cast<size_t>(columns)) {
  for (int64_t c = 0; c < columns; ++c) {
    Column& column = columns_[static_cast<size_t>(c)];
    column.b = column.rest = column_of(b, columns, c);
    column.x.resize(static_cast<size_t>(n));
    column.scale = norm(column.b);
    column.residual = column.best = column.scale > 0 ? 1 : 0;
    direct(column, true);
  }
  look();
}

void ConjugateGradients::start(const std::vector<double>& x, const std::vector<double>& image) {
  const auto count = static_cast<int64_t>(columns_.size());
  for (int64_t c = 0; c < count; ++c) {
    Column& column = columns_[static_cast<size_t>(c)];
    // Of b = 0 the solution is known.
    if (column.scale == 0) continue;
    column.x = column_of(x, count, c);
    const std::vector<double> product = column_of(image, count, c);
    for (int64_t i = 0; i < n_; ++i)
      column.rest[i] = column.b[i] - (product[i] + shift_ * column.x[i]);
    column.residual = column.best = norm(column.rest) / column.scale;
    direct(column, true);
  }
  products_ += count;
  look();
}

std::vector<double> ConjugateGradients::next() const {
  const int64_t count = width();
  std::vector<double> out(static_cast<size_t>(n_ * count));
  for (int64_t c = 0; c < count; ++c) {
    const Column& column = columns_[open_[static_cast<size_t>(c)]];
    for (int64_t i = 0; i < n_; ++i) out[i * count + c] = column.direction[i];
  }
  return out;
}

void ConjugateGradients::take(const std::vector<double>& image) {
  const int64_t count = width();
  parallel_for(count, 1, [&](int64_t first, int64_t last) {
    for (int64_t c = first; c < last; ++c)
      step(columns_[open_[static_cast<size_t>(c)]], column_of(image, count, c));
  });
  ++iterations_;
  products_ += count;
  look();
}

void ConjugateGradients::step(Column& column, const std::vector<double>& product) const {
  std::vector<double> image = product;
  for (int64_t i = 0; i < n_; ++i) image[i] += shift_ * column.direction[i];
  const double curvature = dot(column.direction, image);
  if (!std::isfinite(curvature))
    throw Error("BAD_INPUT", "Expected finite products with the kernel");
  if (!(curvature > 0)) {
    column.since_best = options_.patience;
    return;
  }
  const double length = column.along / curvature;
  for (int64_t i = 0; i < n_; ++i) {
    column.x[i] += length * column.direction[i];
    column.rest[i] -= length * image[i];
  }
  direct(column, false);
  column.residual = norm(column.rest) / column.scale;
  column.since_best = column.residual < column.best ? 0 : column.since_best + 1;
  column.best = std::min(column.best, column.residual);
}

// The next direction.
void ConjugateGradients::direct(Column& column, bool first) const {
  std::vector<double> z(static_cast<size_t>(n_));
  preconditioner_->apply(shift_, column.rest.data(), z.data());
  const double along = dot(column.rest, z);
  if (first) {
    column.direction = std::move(z);
  } else {
    const double turn = along / column.along;
    for (int64_t i = 0; i < n_; ++i) column.direction[i] = z[i] + turn * column.direction[i];
  }
  column.along = along;
}

void ConjugateGradients::look() {
  open_.clear();
  for (size_t c = 0; c < columns_.size(); ++c) {
    Column& column = columns_[c];
    if (column.residual <= options_.tolerance)
      column.status = Status::converged;
    else if (iterations_ >= options_.iterations)
      column.status = Status::iteration_limit;
    else if (column.since_best >= options_.patience)
      column.status = Status::stalled;
    else
      open_.push_back(c);
  }
}

double ConjugateGradients::residual() const {
  double largest = 0;
  for (const Column& column : columns_) largest = std::max(largest, column.residual);
  return largest;
}

std::vector<double> ConjugateGradients::rows(std::vector<double> Column::* part) const {
  const auto count = static_cast<int64_t>(columns_.size());
  std::vector<double> out(static_cast<size_t>(n_ * count));
  for (int64_t c = 0; c < count; ++c) {
    const std::vector<double>& own = columns_[static_cast<size_t>(c)].*part;
    for (int64_t i = 0; i < n_; ++i) out[i * count + c] = own[i];
  }
  return out;
}

Result<std::vector<double>> ConjugateGradients::solution() const {
  Result<std::vector<double>> out{rows(&Column::x), Status::converged, {}};
  for (const Column& column : columns_) out.status = std::max(out.status, column.status);
  out.statistics.residual = residual();
  out.statistics.iterations = iterations_;
  out.statistics.products = products_;
  return out;
}

std::vector<double> ConjugateGradients::image() const {
  std::vector<double> out = rows(&Column::b);
  const std::vector<double> x = rows(&Column::x), rest = rows(&Column::rest);
  for (size_t e = 0; e < out.size(); ++e) out[e] -= rest[e] + shift_ * x[e];
  return out;
}

IterativeFactor::IterativeFactor(const Operator& a, double shift, const std::vector<double>& omega,
                                 IterativeOptions options, const Control& control)
    : a_(a),
      shift_(shift),
      omega_(omega),
      rank_(static_cast<int64_t>(omega.size()) / std::max<int64_t>(a.size(), 1)),
      options_(options),
      preconditioner_(rank_ > 0 ? std::make_shared<const Nystrom>(a, rank_, omega, control)
                                : std::make_shared<const Nystrom>(a.size())) {}

Statistics IterativeFactor::statistics() const {
  Statistics out;
  out.rank = a_.size();
  out.products = rank_;
  if (rank_ > 0) out.condition = (preconditioner_->values()[0] + shift_) / shift_;
  return out;
}

Result<std::vector<double>> IterativeFactor::solve(const std::vector<double>& b, int64_t columns,
                                                   const Control& control) const {
  return solve(b, columns, {}, control);
}

Result<std::vector<double>> IterativeFactor::solve(const std::vector<double>& b, int64_t columns,
                                                   const std::vector<double>& x,
                                                   const Control& control) const {
  ConjugateGradients solver(size(), shift_, b, columns, preconditioner_, options_);
  std::vector<double> image(b.size());
  if (!x.empty() && solver.width() > 0) {
    a_.apply(columns, x.data(), image.data(), control);
    solver.start(x, image);
  }
  while (solver.width() > 0) {
    control.poll();
    const std::vector<double> next = solver.next();
    image.resize(next.size());
    a_.apply(solver.width(), next.data(), image.data(), control);
    solver.take(image);
  }
  auto out = solver.solution();
  out.statistics.condition = statistics().condition;
  out.statistics.rank = size();
  return out;
}

Result<std::vector<double>> IterativeFactor::inverse_blocks(int64_t block,
                                                            const Control& control) const {
  const int64_t n = size(), width = std::max<int64_t>(1, kTogether / block) * block;
  Result<std::vector<double>> out{std::vector<double>(static_cast<size_t>(n * block)),
                                  Status::converged, statistics()};
  for (int64_t from = 0; from < n; from += width) {
    const int64_t columns = std::min(width, n - from);
    std::vector<double> unit(static_cast<size_t>(n * columns));
    for (int64_t c = 0; c < columns; ++c) unit[(from + c) * columns + c] = 1;
    const auto found = solve(unit, columns, control);
    out.status = std::max(out.status, found.status);
    out.statistics.residual = std::max(out.statistics.residual, found.statistics.residual);
    out.statistics.iterations = std::max(out.statistics.iterations, found.statistics.iterations);
    out.statistics.products += found.statistics.products;
    for (int64_t c = 0; c < columns; c += block)
      for (int64_t i = 0; i < block; ++i)
        std::copy_n(found.value.data() + (from + c + i) * columns + c, block,
                    out.value.data() + (from + c + i) * block);
  }
  return out;
}

namespace {

// f(A) z in the Krylov space of z.
struct Function {
  std::vector<double> value;  // (n), where it was asked for
  double along = 0;           // zᵀ f(A) z
  Status status = Status::converged;
  double residual = 0;  // how far the last two estimates were apart, relatively
  int64_t products = 0;
};

Function function_of(const Operator& a, const std::function<double(double)>& f,
                     const std::vector<double>& z, bool value, const IterativeOptions& options,
                     const Control& control) {
  const int64_t n = a.size();
  Function out;
  const double length = norm(z);
  if (length == 0) {
    out.value.assign(static_cast<size_t>(n), 0.0);
    return out;
  }
  KrylovBasis basis(n);
  basis.add(z, 1, false);
  std::vector<double> image(static_cast<size_t>(n)), before, c;
  while (basis.width() > 0) {
    control.poll();
    const std::vector<double> next = basis.next();
    a.apply(1, next.data(), image.data(), control);
    basis.extend(image);
    const int64_t m = basis.size();
    // The small problem costs m³: it is looked at when the basis has grown by an eighth.
    if (basis.width() > 0 && m < options.iterations && m % std::max<int64_t>(1, m / 8) != 0)
      continue;
    basis.ritz();
    c = basis.first_column(f);
    double moved = 0;
    for (size_t k = 0; k < c.size(); ++k) {
      const double gap = c[k] - (k < before.size() ? before[k] : 0);
      moved += gap * gap;
    }
    out.residual = basis.width() > 0 ? std::sqrt(moved) / norm(c) : 0;
    before = c;
    if (out.residual <= options.tolerance) break;
    if (m < options.iterations) continue;
    out.status = Status::iteration_limit;
    break;
  }
  out.products = basis.size();
  out.along = length * length * c[0];
  if (!value) return out;
  out.value = basis.combine(c);
  for (double& x : out.value) x *= length;
  return out;
}

}  // namespace

Result<Estimate> IterativeFactor::log_determinant(const Control& control) const {
  if (rank_ < 2)
    throw Error("BAD_ARGUMENT",
                "Expected at least two random vectors for an estimate of log det but received " +
                    std::to_string(rank_));
  const auto f = [&](double value) { return std::log(std::max(value, 0.0) + shift_); };
  Result<Estimate> out{{}, Status::converged, statistics()};
  std::vector<double> found;
  for (int64_t c = 0; c < rank_; ++c) {
    const Function one = function_of(a_, f, column_of(omega_, rank_, c), false, options_, control);
    found.push_back(one.along);
    out.status = std::max(out.status, one.status);
    out.statistics.products += one.products;
    out.statistics.iterations = std::max(out.statistics.iterations, one.products);
    out.statistics.residual = std::max(out.statistics.residual, one.residual);
  }
  const double count = static_cast<double>(rank_);
  for (double x : found) out.value.value += x / count;
  double spread = 0;
  for (double x : found) spread += (x - out.value.value) * (x - out.value.value);
  out.value.error = std::sqrt(spread / (count - 1) / count);
  return out;
}

Result<std::vector<double>> IterativeFactor::sample(Gaussian gaussian, const std::vector<double>& z,
                                                    int64_t columns, const Control& control) const {
  const auto f = [&](double value) {
    const double root = std::sqrt(std::max(value, 0.0) + shift_);
    return gaussian == Gaussian::covariance ? root : 1 / root;
  };
  Result<std::vector<double>> out{std::vector<double>(z.size()), Status::converged, statistics()};
  for (int64_t c = 0; c < columns; ++c) {
    const Function one = function_of(a_, f, column_of(z, columns, c), true, options_, control);
    for (int64_t i = 0; i < size(); ++i) out.value[i * columns + c] = one.value[i];
    out.status = std::max(out.status, one.status);
    out.statistics.products += one.products;
    out.statistics.iterations = std::max(out.statistics.iterations, one.products);
    out.statistics.residual = std::max(out.statistics.residual, one.residual);
  }
  return out;
}

}  // namespace at::linear
