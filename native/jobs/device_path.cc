#include "jobs/device_path.h"

#include "device/functions/arrange.h"
#include "jobs/device_form.h"

namespace at {
inline namespace AT_PRECISION {

DevicePathCollector::DevicePathCollector(const KernelTask& task, const std::vector<int64_t>& sizes,
                                         const std::vector<int>& uses, int nodes, Pool& pool,
                                         std::shared_ptr<device::Stream> stream)
    : sizes_(sizes),
      pool_(pool),
      stream_(stream),
      collector_(task, sizes, uses, pool, std::move(stream), nodes),
      host_(collector_, sizes, pool),
      factors_(sizes.size()),
      sums_(sizes.size()) {}

DeviceNumbers DevicePathCollector::weighted(const DeviceNumbers& from, int64_t count) const {
  if (weight_ == 1) return from;
  const DeviceNumbers to = stream_->take<Real>(count);
  device::for_rows(*stream_, 1, count, device::Times<Real>{from.at(), to.at(), count, weight_});
  return to;
}

void DevicePathCollector::matrix(int p, MatrixUse use) {
  if (!collector_.stays(p, use.dims, use.bias)) return host_.matrix(p, std::move(use));
  matrix_on_device(p, collector_.sent(use));
}

void DevicePathCollector::dense(int p, int64_t count, int64_t samples,
                                std::shared_ptr<Real> features) {
  if (!collector_.alone(p)) return host_.dense(p, count, samples, std::move(features));
  const int64_t numbers = count * samples * sizes_[static_cast<size_t>(p)];
  dense_on_device(p, count, samples, stream_->send(features.get(), numbers));
}

void DevicePathCollector::matrix_on_device(int p, DeviceMatrixUse use) {
  if (!collector_.stays(p, use.dims, use.bias))
    return host_.matrix(p, to_host(*stream_, use, pool_));
  use.delta = weighted(use.delta, use.samples * use.dims.positions * use.count * use.dims.rows);
  factors_[static_cast<size_t>(p)].push_back(std::move(use));
}

void DevicePathCollector::dense_on_device(int p, int64_t count, int64_t samples,
                                          DeviceNumbers features) {
  const int64_t numbers = count * samples * sizes_[static_cast<size_t>(p)];
  if (!collector_.alone(p)) {
    auto own = pool_.take<Real>(numbers);
    stream_->fetch(own.get(), features, numbers);
    return host_.dense(p, count, samples, std::move(own));
  }
  const DeviceNumbers piece = weighted(features, numbers);
  DeviceNumbers& sum = sums_[static_cast<size_t>(p)];
  if (!sum) {
    sum = piece;
    return;
  }
  const DeviceNumbers to = stream_->take<Real>(numbers);
  device::for_rows(*stream_, 1, numbers,
                   device::Plus<Real>{sum.at(), piece.at(), to.at(), numbers});
  sum = to;
}

DeviceNumbers DevicePathCollector::concatenated(const std::vector<DeviceMatrixUse>& uses,
                                                DeviceNumbers DeviceMatrixUse::* of, int64_t length,
                                                int64_t positions) const {
  const int64_t n = uses[0].samples, stride = positions * length;
  const DeviceNumbers to = stream_->take<Real>(checked_mul(n, stride));
  int64_t at = 0;
  for (const DeviceMatrixUse& use : uses) {
    const int64_t own = use.dims.positions * length;
    device::for_rows(*stream_, n, own,
                     device::CopyRows<Real>{(use.*of).at(), own, to.at(at), stride});
    at += own;
  }
  return to;
}

DeviceMatrixUse DevicePathCollector::joined(const std::vector<DeviceMatrixUse>& uses) const {
  DeviceMatrixUse all = uses[0];
  int64_t positions = 0;
  for (const DeviceMatrixUse& use : uses) positions += use.dims.positions;
  all.delta = concatenated(uses, &DeviceMatrixUse::delta, all.count * all.dims.rows, positions);
  all.h = concatenated(uses, &DeviceMatrixUse::h, all.dims.cols, positions);
  all.dims.positions = positions;
  return all;
}

// Where a node of the path gave numbers and another one factors, of a parameter or of its bias, all
// are numbers.
void DevicePathCollector::multiply_out_mixed(size_t k) {
  const std::vector<DeviceMatrixUse> uses = factors_[k];
  bool mixed = !uses.empty() && sums_[k];
  for (const DeviceMatrixUse& use : uses)
    mixed = mixed || use.bias != uses[0].bias ||
            (use.bias >= 0 && sums_[static_cast<size_t>(use.bias)]);
  if (!mixed) return;
  factors_[k].clear();
  weight_ = 1;  // it is in the factors
  const auto add = [&](int p, const DeviceMatrixUse& use, const DeviceNumbers& x) {
    const int64_t size = sizes_[static_cast<size_t>(p)];
    // (C, n, P) of (n, C, P).
    dense_on_device(p, use.count, use.samples,
                    by_sample(*stream_, x, use.samples, use.count, size));
  };
  for (const DeviceMatrixUse& use : uses) {
    add(static_cast<int>(k), use, formed(*stream_, use, {0, use.samples}));
    if (use.bias >= 0) add(use.bias, use, formed_bias(*stream_, use));
  }
}

Block DevicePathCollector::finish(int64_t first, int64_t samples, int64_t count,
                                  std::vector<Method>& methods) {
  for (size_t k = 0; k < sizes_.size(); ++k) multiply_out_mixed(k);
  for (size_t k = 0; k < sizes_.size(); ++k) {
    const int p = static_cast<int>(k);
    if (!factors_[k].empty()) {
      collector_.matrix_on_device(p, joined(factors_[k]));
      factors_[k].clear();
    } else if (sums_[k]) {
      collector_.dense_on_device(p, count, samples, std::move(sums_[k]));
    }
  }
  host_.finish(samples, count);
  return collector_.finish(first, samples, count, methods);
}

}  // namespace AT_PRECISION
}  // namespace at
