#include "linear/device_cholesky.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "device/functions/arrange.h"
#include "device/functions/fill.h"
#include "device/functions/scale.h"
#include "device/launch.h"
#include "linear/cholesky.h"

namespace at::linear {

using device::Pointer;

namespace {

// Columns of the inverse that are made at once.
constexpr int64_t kPanel = 1024;

}  // namespace

DeviceCholesky::DeviceCholesky(std::shared_ptr<device::Stream> stream, int64_t n,
                               device::Buffer<double> a, double shift)
    : stream_(std::move(stream)), n_(n), a_(std::move(a)), shift_(shift) {
  factorise();
}

DeviceCholesky::DeviceCholesky(std::shared_ptr<device::Stream> stream, int64_t n,
                               const std::vector<double>& a, double shift)
    : DeviceCholesky(stream, n, (check_symmetric(n, a), stream->send(a)), shift) {}

void DeviceCholesky::factorise() {
  device::Stream& stream = *stream_;
  const auto line = stream.take<double>(n_);
  const auto read = [&] {
    device::for_rows(stream, n_, 1, device::CopyRows<double>{a_.at(), n_ + 1, line.at(), 1});
    return stream.fetch(line, n_);
  };
  diagonal_ = read();
  std::vector<double> shifted = diagonal_;
  for (double& x : shifted) x += shift_;
  const auto raised = stream.send(shifted);
  device::for_rows(stream, n_, 1, device::CopyRows<double>{raised.at(), 1, a_.at(), n_ + 1});
  if (stream.cholesky(n_, a_.at(), n_) != 0) status_ = Status::not_positive;
  root_ = read();
  for (int which = 0; which < 2; ++which) {
    std::vector<double> lacking(static_cast<size_t>(n_));
    for (int64_t i = 0; i < n_; ++i)
      lacking[i] = diagonal_[i] + (which == 1 ? shift_ : 0) - root_[i];
    on_diagonal_[which] = stream.send(lacking);
  }
  stream.synchronise();
}

double DeviceCholesky::reciprocal_condition() const { return linear::reciprocal_condition(root_); }

Statistics DeviceCholesky::statistics() const { return statistics_of(status_, root_); }

void DeviceCholesky::solve_lower(bool transposed, int64_t first, int64_t columns,
                                 const Pointer<double>& x) const {
  device::LowerSolve<double> solve;
  solve.transposed = transposed;
  solve.n = n_ - first, solve.columns = columns;
  solve.l = l() + first * (n_ + 1), solve.ldl = n_;
  solve.x = x, solve.ldx = columns;
  stream_->solve(solve);
}

void DeviceCholesky::add_product(double alpha, double beta, double shift, int64_t columns,
                                 const Pointer<const double>& x, const Pointer<double>& y) const {
  device::SymmetricProduct<double> p;
  p.n = n_, p.columns = columns;
  p.a = l(), p.lda = n_;
  p.b = x, p.ldb = columns;
  p.c = y, p.ldc = columns;
  p.alpha = alpha, p.beta = beta;
  stream_->multiply(p);
  const auto factors = stream_->take<double>(n_);
  device::for_rows(
      *stream_, 1, n_,
      device::Times<double>{on_diagonal_[shift == 0 ? 0 : 1].at(), factors.at(), n_, alpha});
  device::for_rows(*stream_, n_, columns,
                   device::AddScaledRows<double>{factors.at(), x, y, columns});
}

Result<std::vector<double>> DeviceCholesky::solve(const std::vector<double>& b, int64_t columns,
                                                  const Control& control) const {
  const std::lock_guard<std::mutex> lock(mutex_);
  const auto x = stream_->send(b), rest = stream_->send(b);
  const auto both = [&](const device::Buffer<double>& to) {
    solve_lower(false, 0, columns, to.at());
    solve_lower(true, 0, columns, to.at());
  };
  both(x);
  control.poll();
  add_product(-1, 1, shift_, columns, x.at(), rest.at());
  both(rest);
  device::for_rows(*stream_, n_, columns, device::Plus<double>{x.at(), rest.at(), x.at(), columns});
  return {stream_->fetch(x, n_ * columns), status_, statistics()};
}

std::vector<double> DeviceCholesky::product(const std::vector<double>& x, int64_t columns) const {
  const std::lock_guard<std::mutex> lock(mutex_);
  const auto from = stream_->send(x), to = stream_->take<double>(n_ * columns);
  add_product(1, 0, 0, columns, from.at(), to.at());
  return stream_->fetch(to, n_ * columns);
}

Result<std::vector<double>> DeviceCholesky::inverse_blocks(int64_t block,
                                                           const Control& control) const {
  const std::lock_guard<std::mutex> lock(mutex_);
  // Whole blocks in every panel; L⁻¹ of a panel's columns is zero above it.
  const int64_t fits = static_cast<int64_t>(stream_->available() / 4 / sizeof(double)) / n_;
  const int64_t width = std::max<int64_t>(1, std::clamp<int64_t>(fits, 1, kPanel) / block) * block;
  const auto x = stream_->take<double>(n_ * std::min(width, n_));
  const auto out = stream_->take<double>(n_ * block);
  for (int64_t from = 0; from < n_; from += width) {
    control.poll();
    const int64_t columns = std::min(width, n_ - from), rows = n_ - from;
    device::for_rows(*stream_, rows, columns, device::Fill<double>{x.at(), columns, 0});
    device::for_rows(*stream_, columns, 1, device::Fill<double>{x.at(), columns + 1, 1});
    solve_lower(false, from, columns, x.at());
    device::Product<double> p;
    p.trans_a = true;
    p.m = p.n = block, p.k = rows;
    p.a = p.b = x.at(), p.lda = p.ldb = columns;
    p.step_a = p.step_b = block;
    p.c = out.at(from * block), p.ldc = block, p.step_c = block * block;
    p.batch = columns / block;
    stream_->multiply(p);
  }
  return {stream_->fetch(out, n_ * block), status_, statistics()};
}

Result<Estimate> DeviceCholesky::log_determinant(const Control&) const {
  return {{linear::log_determinant(root_), 0}, status_, statistics()};
}

Result<std::vector<double>> DeviceCholesky::sample(Gaussian gaussian, const std::vector<double>& z,
                                                   int64_t columns, const Control&) const {
  const std::lock_guard<std::mutex> lock(mutex_);
  const auto x = stream_->send(z);
  if (gaussian == Gaussian::precision) {
    solve_lower(true, 0, columns, x.at());
    return {stream_->fetch(x, n_ * columns), status_, statistics()};
  }
  const auto lower = stream_->take<double>(n_ * n_), out = stream_->take<double>(n_ * columns);
  device::for_rows(*stream_, n_, n_, device::LowerOnly<double>{l(), lower.at(), n_});
  device::Product<double> p;
  p.m = n_, p.n = columns, p.k = n_;
  p.a = lower.at(), p.lda = n_;
  p.b = x.at(), p.ldb = columns;
  p.c = out.at(), p.ldc = columns;
  stream_->multiply(p);
  return {stream_->fetch(out, n_ * columns), status_, statistics()};
}

}  // namespace at::linear
