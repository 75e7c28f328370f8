#include "jobs/device_gradient.h"

#include <algorithm>

#include "core/shape.h"
#include "device/functions/arrange.h"
#include "device/functions/fill.h"
#include "device/functions/sums.h"

namespace at {
inline namespace AT_PRECISION {

DeviceGradientSink::DeviceGradientSink(device::Stream& stream, std::vector<int64_t> sizes,
                                       int64_t count, Pool& pool)
    : stream_(stream),
      sizes_(sizes),
      count_(count),
      host_(std::move(sizes), count, pool),
      sums_(sizes_.size()) {}

DeviceNumbers DeviceGradientSink::groups_first(const DeviceMatrixUse& use,
                                               const DeviceNumbers& from, int64_t length) const {
  const int64_t n = use.samples, G = use.dims.groups;
  if (G == 1 || n == 1) return from;
  const DeviceNumbers to = stream_.take<Real>(n * G * length);
  device::for_rows(stream_, n * G, length,
                   device::SwapAxes<Real>{from.at(), to.at(), n, G, length});
  return to;
}

void DeviceGradientSink::matrix_on_device(int p, DeviceMatrixUse use) {
  const int64_t T = use.dims.positions, row = use.count * use.dims.rows;
  add(p, use, groups_first(use, use.delta, T * row), groups_first(use, use.h, T * use.dims.cols));
  if (use.bias >= 0) add_rows(use.bias, use.delta, 1, use.samples * T, row);
}

void DeviceGradientSink::add(int p, const DeviceMatrixUse& use, const DeviceNumbers& delta,
                             const DeviceNumbers& h) {
  const int64_t m = use.dims.rows, k = use.dims.cols, C = use.count;
  const int64_t rows = use.samples * use.dims.positions, size = use.dims.groups * m * k;
  const bool turned = use.dims.transposed;
  DeviceNumbers& sum = sums_[static_cast<size_t>(p)];
  device::Product<Real> product;
  product.beta = sum ? 1 : 0;
  if (!sum) sum = stream_.take<Real>(checked_mul(C, size));
  // All cotangents at once, or as products that share h.
  const bool together = use.dims.groups == 1 && !turned;
  product.trans_a = true;
  product.m = turned ? k : together ? C * m : m;
  product.n = turned ? m : k;
  product.k = rows;
  product.ldc = product.n;
  product.batch = together ? 1 : C;
  product.step_c = size;
  for (int64_t g = 0; g < use.dims.groups; ++g) {
    const device::Pointer<const Real> d = delta.at(g * rows * C * m), x = h.at(g * rows * k);
    product.a = turned ? x : d, product.lda = turned ? k : C * m;
    product.b = turned ? d : x, product.ldb = turned ? C * m : k;
    (turned ? product.step_b : product.step_a) = m;
    product.c = sum.at(g * m * k);
    stream_.multiply(product);
  }
}

// Adds Σ_r from (outer, rows, length).
void DeviceGradientSink::add_rows(int p, const DeviceNumbers& from, int64_t outer, int64_t rows,
                                  int64_t length) {
  const int64_t size = outer * length;
  // In memory of its own, to which products are added.
  DeviceNumbers made = stream_.take<Real>(size);
  device::for_rows(stream_, outer, length,
                   device::SumAround<Real>{from.at(), made.at(), rows, length, 1});
  DeviceNumbers& sum = sums_[static_cast<size_t>(p)];
  if (sum) {
    const DeviceNumbers both = stream_.take<Real>(size);
    device::for_rows(stream_, 1, size, device::Plus<Real>{sum.at(), made.at(), both.at(), size});
    made = both;
  }
  sum = made;
}

void DeviceGradientSink::dense_on_device(int p, int64_t count, int64_t samples,
                                         DeviceNumbers features) {
  add_rows(p, features, count, samples, sizes_[static_cast<size_t>(p)]);
}

void DeviceGradientSums::add(const DeviceGradientSink& block) {
  device::Stream& stream = block.stream_;
  sums_.resize(block.sizes_.size());
  const auto add_numbers = [&](size_t p, const DeviceNumbers& numbers) {
    const int64_t size = block.count_ * block.sizes_[p];
    device::for_rows(stream, 1, size,
                     device::AddWide<Real>{numbers.at(), sums_[p].wide.at(), size});
  };
  // All memory first: what fails afterwards ends the job.
  std::vector<DeviceNumbers> sent(sums_.size());
  std::vector<Sum> fresh(sums_.size());
  for (size_t p = 0; p < sums_.size(); ++p) {
    const int64_t size = checked_mul(block.count_, block.sizes_[p]);
    const Real* host = block.host_.sum(static_cast<int>(p));
    if (host) sent[p] = stream.send(host, size);
    if (!sums_[p].wide && (host || block.sums_[p]))
      fresh[p] = {stream.take<double>(size), stream.take<Real>(size)};
  }
  for (size_t p = 0; p < sums_.size(); ++p) {
    if (fresh[p].wide) {
      sums_[p] = fresh[p];
      const int64_t size = sums_[p].wide.size();
      device::for_rows(stream, 1, size, device::Fill<double>{sums_[p].wide.at(), size, 0});
    }
    if (block.sums_[p]) add_numbers(p, block.sums_[p]);
    if (sent[p]) add_numbers(p, sent[p]);
  }
}

std::vector<DeviceNumbers> DeviceGradientSums::rounded(device::Stream& stream) const {
  std::vector<DeviceNumbers> found(sums_.size());
  for (size_t p = 0; p < sums_.size(); ++p) {
    const Sum& sum = sums_[p];
    if (!sum.wide) continue;
    const int64_t size = sum.wide.size();
    found[p] = sum.rounded;
    device::for_rows(stream, 1, size, device::Rounded<Real>{sum.wide.at(), sum.rounded.at(), size});
  }
  return found;
}

void DeviceGradientSums::write(device::Stream& stream, const std::vector<Real*>& results,
                               const std::vector<int64_t>& sizes, int64_t count) const {
  const std::vector<DeviceNumbers> sums = rounded(stream);
  for (size_t p = 0; p < results.size(); ++p) {
    const int64_t size = count * sizes[p];
    if (sums[p]) {
      stream.bring(results[p], device::Pointer<const Real>(sums[p].at()), size);
    } else {
      std::fill_n(results[p], size, Real(0));
    }
  }
  stream.synchronise();
}

}  // namespace AT_PRECISION
}  // namespace at
