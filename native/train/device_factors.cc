#include "train/device_factors.h"

#include "device/functions/arrange.h"
#include "device/launch.h"

namespace at {

DeviceFactors::DeviceFactors(std::shared_ptr<device::Stream> stream, std::vector<int64_t> sizes,
                             std::vector<FactorLayout> layouts, std::vector<DeviceNumbers> arrays)
    : stream_(std::move(stream)),
      sizes_(std::move(sizes)),
      layouts_(std::move(layouts)),
      arrays_(std::move(arrays)) {
  size_t theta = 0;
  for (const FactorLayout& layout : layouts_) {
    theta_.push_back(theta);
    theta += 1 + layout.modes.size();
  }
}

std::vector<DeviceNumbers> DeviceFactors::changes() const {
  std::vector<DeviceNumbers> all;
  for (size_t p = 0; p < layouts_.size(); ++p) all.push_back(change(p));
  return all;
}

DeviceNumbers DeviceFactors::change(size_t p) const {
  const FactorLayout& layout = layouts_[p];
  const DeviceNumbers& theta = arrays_[theta_[p]];
  if (layout.follows < 0) return through(p, theta, -1, false);
  const Modes vector{sizes_[p]};
  return along(vector, 0,
               matrix(static_cast<size_t>(layout.follows), static_cast<size_t>(layout.mode)), false,
               theta);
}

std::vector<DeviceNumbers> DeviceFactors::pulled(const std::vector<DeviceNumbers>& slopes) const {
  std::vector<DeviceNumbers> found(arrays_.size());
  // Of a matrix, to which biases add.
  const auto add = [&](const Modes& modes, size_t mode, size_t array, const DeviceNumbers& g,
                       const DeviceNumbers& x) {
    const bool first = !found[array];
    if (first) found[array] = stream_->take<float>(arrays_[array].size());
    pair(modes, mode, g, x, first ? 0.0f : 1.0f, found[array]);
  };
  for (size_t p = 0; p < layouts_.size(); ++p) {
    if (!slopes[p]) continue;
    const FactorLayout& layout = layouts_[p];
    const DeviceNumbers& theta = arrays_[theta_[p]];
    if (layout.follows >= 0) {
      const auto weight = static_cast<size_t>(layout.follows);
      const auto mode = static_cast<size_t>(layout.mode);
      const Modes vector{sizes_[p]};
      found[theta_[p]] = along(vector, 0, matrix(weight, mode), true, slopes[p]);
      add(vector, 0, theta_[weight] + 1 + mode, slopes[p], theta);
      continue;
    }
    found[theta_[p]] = through(p, slopes[p], -1, true);
    for (size_t mode = 0; mode < layout.modes.size(); ++mode)
      add(layout.modes, mode, theta_[p] + 1 + mode, slopes[p],
          through(p, theta, static_cast<int>(mode), false));
  }
  return found;
}

DeviceNumbers DeviceFactors::through(size_t p, DeviceNumbers x, int except, bool transposed) const {
  const Modes& modes = layouts_[p].modes;
  for (size_t mode = 0; mode < modes.size(); ++mode)
    if (static_cast<int>(mode) != except) x = along(modes, mode, matrix(p, mode), transposed, x);
  return x;
}

DeviceNumbers DeviceFactors::along(const Modes& modes, size_t mode, const DeviceNumbers& matrix,
                                   bool transposed, const DeviceNumbers& x) const {
  const Around at(modes, mode);
  const DeviceNumbers to = stream_->take<float>(x.size());
  device::Product<float> product;
  product.k = at.size;
  product.c = to.at();
  if (at.after == 1) {
    product.trans_b = !transposed;
    product.m = at.before, product.n = at.size;
    product.a = x.at(), product.lda = at.size;
    product.b = matrix.at(), product.ldb = at.size;
    product.ldc = at.size;
  } else {
    product.trans_a = transposed;
    product.m = at.size, product.n = at.after;
    product.a = matrix.at(), product.lda = at.size;
    product.b = x.at(), product.ldb = at.after;
    product.ldc = at.after;
    product.batch = at.before;
    product.step_b = product.step_c = at.size * at.after;
  }
  stream_->multiply(product);
  return to;
}

void DeviceFactors::pair(const Modes& modes, size_t mode, DeviceNumbers g, DeviceNumbers x,
                         float beta, const DeviceNumbers& slope) const {
  const Around at(modes, mode);
  // The mode first, so that one product sums over all others.
  const auto turned = [&](const DeviceNumbers& from) {
    const DeviceNumbers to = stream_->take<float>(from.size());
    device::for_rows(*stream_, at.before * at.size, at.after,
                     device::SwapAxes<float>{from.at(), to.at(), at.before, at.size, at.after});
    return to;
  };
  const bool last = at.after == 1;
  if (!last && at.before > 1) g = turned(g), x = turned(x);
  const int64_t others = at.before * at.after, row = last ? at.size : others;
  device::Product<float> product;
  product.trans_a = last, product.trans_b = !last;
  product.m = product.n = at.size;
  product.k = others;
  product.a = g.at(), product.lda = row;
  product.b = x.at(), product.ldb = row;
  product.c = slope.at(), product.ldc = at.size;
  product.beta = beta;
  stream_->multiply(product);
}

}  // namespace at
