#include "fit/device_features.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "device/functions/arrange.h"
#include "device/functions/fill.h"
#include "device/functions/pick.h"
#include "device/launch.h"

namespace at::fit {

using device::Pointer;
using device::Stream;

namespace {

// Features that are kept in float are widened there: half as much goes up.
template <class T>
bool send_dense(Stream& stream, const Features& features, device::Buffer<double>& to) {
  const auto* dense = dynamic_cast<const DenseFeatures<T>*>(&features);
  if (!dense) return false;
  const int64_t rows = dense->rows(), size = dense->size();
  if constexpr (std::is_same_v<T, double>) {
    to = stream.send(dense->numbers(), rows * size);
  } else {
    to = stream.take<double>(rows * size);
    // A few rows at a time.
    const int64_t step = std::clamp<int64_t>((int64_t{1} << 26) / size, 1, rows);
    for (int64_t r = 0; r < rows; r += step) {
      const int64_t count = std::min(step, rows - r);
      const auto narrow = stream.send(dense->numbers() + r * size, count * size);
      device::for_rows(stream, count, size,
                       device::Widen<double>{narrow.at(), to.at(r * size), size});
    }
  }
  return true;
}

// to (second, first) = from (first, second).
void transpose(Stream& stream, int64_t first, int64_t second, const Pointer<const double>& from,
               const Pointer<double>& to) {
  device::for_rows(stream, first * second, 1, device::SwapAxes<double>{from, to, first, second, 1});
}

}  // namespace

DeviceStretch::DeviceStretch(Stream& stream, const Stretch& stretch)
    : rank_(stretch.rank()), dim_(stretch.dim) {
  if (rank_ == 0) return;
  std::vector<double> weighted = stretch.vectors;
  for (int64_t j = 0; j < rank_; ++j)
    for (int64_t i = 0; i < dim_; ++i) weighted[j * dim_ + i] *= stretch.z[j] - 1;
  vectors_ = stream.send(stretch.vectors);
  weighted_ = stream.send(weighted);
}

void DeviceStretch::apply(Stream& stream, int64_t outer, int64_t inner,
                          const Pointer<double>& x) const {
  if (rank_ == 0 || outer == 0) return;
  const auto parts = stream.take<double>(outer * rank_ * inner);
  device::Product<double> p, back;
  if (inner == 1) {
    p.trans_b = true;
    p.m = outer, p.n = rank_, p.k = dim_;
    p.a = x, p.lda = dim_;
    p.b = vectors(), p.ldb = dim_;
    p.c = parts.at(), p.ldc = rank_;
    back.m = outer, back.n = dim_, back.k = rank_;
    back.a = parts.at(), back.lda = rank_;
    back.b = weighted(), back.ldb = dim_;
    back.c = x, back.ldc = dim_;
  } else {
    p.m = rank_, p.n = inner, p.k = dim_;
    p.a = vectors(), p.lda = dim_;
    p.b = x, p.ldb = inner, p.step_b = dim_ * inner;
    p.c = parts.at(), p.ldc = inner, p.step_c = rank_ * inner;
    back.trans_a = true;
    back.m = dim_, back.n = inner, back.k = rank_;
    back.a = weighted(), back.lda = dim_;
    back.b = parts.at(), back.ldb = inner, back.step_b = rank_ * inner;
    back.c = x, back.ldc = inner, back.step_c = dim_ * inner;
    p.batch = back.batch = outer;
  }
  back.beta = 1;
  stream.multiply(p);
  stream.multiply(back);
}

DeviceFeatures::DeviceFeatures(Stream& stream, std::shared_ptr<const Features> features)
    : host_(std::move(features)), factors_(dynamic_cast<const FactoredFeatures*>(host_.get())) {
  if (!factors_) {
    if (send_dense<float>(stream, *host_, x_) || send_dense<double>(stream, *host_, x_)) return;
    throw std::logic_error("features of a kind that devices do not know");
  }
  const int64_t items = host_->samples() * positions();
  delta_ = stream.send(factors_->delta(), items * host_->outputs() * host_->m());
  if (!picks()) {
    h_ = stream.send(factors_->h(), items * host_->k());
    return;
  }
  const std::vector<int64_t>& columns = factors_->picked().columns;
  std::vector<int64_t> starts(static_cast<size_t>(host_->k() + 1)), order(columns.size());
  for (int64_t column : columns) ++starts[static_cast<size_t>(column) + 1];
  std::partial_sum(starts.begin(), starts.end(), starts.begin());
  std::iota(order.begin(), order.end(), int64_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](int64_t a, int64_t b) { return columns[a] < columns[b]; });
  columns_ = stream.send(columns);
  starts_ = stream.send(starts);
  order_ = stream.send(order);
}

device::Buffer<double> DeviceFeatures::project(Stream& stream, int64_t rank,
                                               const Pointer<const double>& vectors) const {
  const int64_t items = host_->samples() * positions(), k = host_->k();
  auto out = stream.take<double>(items * rank);
  if (picks()) {
    const auto turned = stream.take<double>(k * rank);
    transpose(stream, rank, k, vectors, turned.at());
    device::for_rows(stream, items, rank,
                     device::PickRows<double>{turned.at(), columns_.at(), out.at(), rank});
    return out;
  }
  device::Product<double> p;
  p.trans_b = true;
  p.m = items, p.n = rank, p.k = k;
  p.a = h_.at(), p.lda = k;
  p.b = vectors, p.ldb = k;
  p.c = out.at(), p.ldc = rank;
  stream.multiply(p);
  return out;
}

void DeviceFeatures::apply(Stream& stream, const Pointer<const double>& b,
                           const Pointer<double>& y) const {
  const int64_t m = host_->m(), outputs = host_->outputs(), count = positions();
  device::Product<double> p;
  p.n = p.ldb = p.ldc = p.beta = 1;
  p.c = y;
  if (!factored()) {
    p.m = host_->rows(), p.k = p.lda = host_->size();
    p.a = x_.at(), p.b = b;
    return stream.multiply(p);
  }
  // (b h_t)·δ_t, summed over positions.
  const auto image = project(stream, m, b);
  p.m = outputs, p.k = p.lda = m;
  p.batch = host_->samples();
  p.step_a = count * outputs * m, p.step_b = count * m, p.step_c = outputs;
  for (int64_t t = 0; t < count; ++t) {
    p.a = delta_.at(t * outputs * m), p.b = image.at(t * m);
    stream.multiply(p);
  }
}

void DeviceFeatures::adjoint(Stream& stream, const Pointer<const double>& a,
                             const Pointer<double>& s) const {
  const int64_t m = host_->m(), k = host_->k(), outputs = host_->outputs(), count = positions();
  const int64_t items = host_->samples() * count;
  device::Product<double> p;
  p.m = 1;
  p.a = a;
  if (!factored()) {
    p.n = p.ldb = p.ldc = host_->size(), p.k = p.lda = host_->rows();
    p.b = x_.at(), p.c = s;
    return stream.multiply(p);
  }
  // Σ_o a δ: h is common to the outputs.
  const auto mixed = stream.take<double>(items * m);
  p.n = p.ldb = p.ldc = m, p.k = p.lda = outputs;
  p.batch = host_->samples();
  p.step_a = outputs, p.step_b = count * outputs * m, p.step_c = count * m;
  for (int64_t t = 0; t < count; ++t) {
    p.b = delta_.at(t * outputs * m), p.c = mixed.at(t * m);
    stream.multiply(p);
  }
  if (picks()) {
    const auto turned = stream.take<double>(k * m);
    device::for_rows(stream, k, m, device::Fill<double>{turned.at(), m, 0});
    device::for_rows(
        stream, k, m,
        device::AddPicked<double>{mixed.at(), starts_.at(), order_.at(), turned.at(), m});
    return transpose(stream, k, m, turned.at(), s);
  }
  device::Product<double> q;
  q.trans_a = true;
  q.m = m, q.n = k, q.k = items;
  q.a = mixed.at(), q.lda = m;
  q.b = h_.at(), q.ldb = k;
  q.c = s, q.ldc = k;
  stream.multiply(q);
}

void DeviceFeatures::expand(Stream& stream, int64_t first, int64_t count,
                            const Pointer<double>& to) const {
  const int64_t m = host_->m(), k = host_->k(), outputs = host_->outputs(), rows = host_->rows();
  if (!factored())
    return device::for_rows(stream, rows, count * k,
                            device::CopyRows<double>{x_.at(first * k), m * k, to, count * k});
  if (picks())
    return device::for_rows(
        stream, rows, count * k,
        device::SpreadPicked<double>{delta_.at(), columns_.at(), to, positions(), outputs, m, first,
                                     count, device::Divider(k)});
  device::Product<double> p;
  p.trans_a = true;
  p.m = count, p.n = p.ldb = p.ldc = k, p.k = positions();
  p.lda = outputs * m;
  p.b = h_.at();
  p.batch = host_->samples();
  p.step_a = positions() * outputs * m, p.step_b = positions() * k, p.step_c = outputs * count * k;
  for (int64_t c = 0; c < outputs; ++c) {
    p.a = delta_.at(c * m + first), p.c = to + c * count * k;
    stream.multiply(p);
  }
}

}  // namespace at::fit
