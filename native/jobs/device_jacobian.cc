#include "jobs/device_jacobian.h"

#include <algorithm>

#include "core/shape.h"
#include "device/functions/arrange.h"
#include "jobs/device_form.h"

namespace at {
inline namespace AT_PRECISION {

DeviceJacobianSink::DeviceJacobianSink(device::Stream& stream, device::Pending& pending,
                                       JacobianSink& host, std::vector<int64_t> sizes,
                                       std::vector<int> uses, Pool& pool)
    : stream_(stream),
      pending_(pending),
      host_(host),
      sizes_(std::move(sizes)),
      uses_(std::move(uses)),
      pool_(pool),
      held_(sizes_.size()) {}

int64_t DeviceJacobianSink::most_bytes() const {
  return static_cast<int64_t>(std::min<size_t>(stream_.limit() / 8, size_t{1} << 28));
}

void DeviceJacobianSink::matrix_on_device(int p, DeviceMatrixUse use) {
  const int64_t n = use.samples, C = use.count;
  if (use.bias >= 0) take(use.bias, {formed_bias(stream_, use), n, C});
  if (uses_[static_cast<size_t>(p)] != 1) return take(p, {formed(stream_, use, {0, n}), n, C});
  // A few samples at a time, so that the features of all need not fit.
  const int64_t row = C * sizes_[static_cast<size_t>(p)] * static_cast<int64_t>(sizeof(Real));
  const int64_t some = std::clamp<int64_t>(most_bytes() / row, 1, n);
  for (int64_t first = 0; first < n; first += some) {
    const int64_t samples = std::min(some, n - first);
    bring(p, formed(stream_, use, {first, samples}), first, samples, C);
  }
  host_.settle(p);
}

void DeviceJacobianSink::dense_on_device(int p, int64_t count, int64_t samples,
                                         DeviceNumbers features) {
  const int64_t size = sizes_[static_cast<size_t>(p)];
  take(p, {by_sample(stream_, std::move(features), count, samples, size), samples, count});
}

void DeviceJacobianSink::take(int p, Held piece) {
  if (uses_[static_cast<size_t>(p)] == 1) {
    bring(p, piece.x, 0, piece.samples, piece.count);
    return host_.settle(p);
  }
  Held& held = held_[static_cast<size_t>(p)];
  if (held.x) {
    const int64_t size = piece.samples * piece.count * sizes_[static_cast<size_t>(p)];
    const DeviceNumbers sum = stream_.take<Real>(size);
    device::for_rows(stream_, 1, size,
                     device::Plus<Real>{held.x.at(), piece.x.at(), sum.at(), size});
    piece.x = sum;
  }
  held = std::move(piece);
}

void DeviceJacobianSink::bring(int p, const DeviceNumbers& x, int64_t first, int64_t samples,
                               int64_t count) {
  const int64_t row = count * sizes_[static_cast<size_t>(p)], stride = host_.stride(p);
  Real* to = host_.start(p) + first * stride;
  // The rows of several samples lie together where the pass has all outputs.
  const int64_t parts = stride == row ? 1 : samples, each = samples / parts;
  for (int64_t i = 0; i < parts; ++i)
    stream_.bring(to + i * stride, device::Pointer<const Real>(x.at(i * row)), each * row);
  pending_.hold(x, most_bytes());
}

void DeviceJacobianSink::add_to_host(int p, const Held& held) {
  const int64_t size = sizes_[static_cast<size_t>(p)], rows = held.samples * held.count;
  // As the host's sink takes them: (C, n, P).
  const DeviceNumbers x = by_sample(stream_, held.x, held.samples, held.count, size);
  auto own = pool_.take<Real>(checked_mul(rows, size));
  stream_.fetch(own.get(), x, rows * size);
  host_.dense(p, held.count, held.samples, std::move(own));
}

void DeviceJacobianSink::finish() {
  for (size_t k = 0; k < held_.size(); ++k) {
    const int p = static_cast<int>(k);
    const Held held = std::move(held_[k]);
    held_[k] = Held();
    if (!held.x) continue;
    if (host_.written(p)) {
      add_to_host(p, held);
    } else {
      bring(p, held.x, 0, held.samples, held.count);
      host_.settle(p);
    }
  }
}

}  // namespace AT_PRECISION
}  // namespace at
