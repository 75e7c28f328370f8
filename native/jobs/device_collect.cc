#include "jobs/device_collect.h"

#include "device/functions/arrange.h"
#include "jobs/device_form.h"
#include "kernels/cost.h"

namespace at {
inline namespace AT_PRECISION {

namespace {

std::vector<int> times(std::vector<int> uses, int passes) {
  for (int& count : uses) count *= passes;
  return uses;
}

}  // namespace

DeviceCollector::DeviceCollector(const KernelTask& task, std::vector<int64_t> sizes,
                                 std::vector<int> uses, Pool& pool,
                                 std::shared_ptr<device::Stream> stream, int passes)
    : task_(task),
      sizes_(sizes),
      uses_(uses),
      pool_(pool),
      stream_(std::move(stream)),
      host_(task, std::move(sizes), times(std::move(uses), passes), pool) {}

bool DeviceCollector::stays(int parameter, const MatrixDims& dims, int bias) const {
  return alone(parameter) && (bias < 0 || alone(bias)) && dims.groups == 1 && !dims.picks;
}

DeviceMatrixUse DeviceCollector::sent(const MatrixUse& use) {
  if (use.spoilt)
    throw Error("NUMERICAL",
                "An operand of a product is not finite where a derivative flows through it; with "
                "device: 'cpu' it is told where, or computed all the same");
  const int64_t places = use.samples * use.dims.positions;
  return {use.dims,
          use.samples,
          use.count,
          stream_->send(use.delta.get(), places * use.count * use.dims.rows),
          stream_->send(use.h.get(), places * use.dims.cols),
          use.bias};
}

void DeviceCollector::matrix(int parameter, MatrixUse use) {
  if (!stays(parameter, use.dims, use.bias)) return host_.matrix(parameter, std::move(use));
  matrix_on_device(parameter, sent(use));
}

void DeviceCollector::dense(int parameter, int64_t count, int64_t samples,
                            std::shared_ptr<Real> features) {
  if (!alone(parameter)) return host_.dense(parameter, count, samples, std::move(features));
  const int64_t numbers = count * samples * sizes_[static_cast<size_t>(parameter)];
  dense_on_device(parameter, count, samples, stream_->send(features.get(), numbers));
}

void DeviceCollector::matrix_on_device(int parameter, DeviceMatrixUse use) {
  if (!stays(parameter, use.dims, use.bias))
    return host_.matrix(parameter, to_host(*stream_, use, pool_));
  const bool joined = use.bias >= 0 && task_.groups[static_cast<size_t>(use.bias)] ==
                                           task_.groups[static_cast<size_t>(parameter)];
  if (use.bias >= 0 && !joined) add_bias(use);
  if (joined) {
    // [X_W x_b] has the factors δ and [h 1]: then the bias costs one more column.
    const int64_t rows = use.samples * use.dims.positions, k = use.dims.cols;
    const DeviceNumbers h = stream_->take<Real>(rows * (k + 1));
    device::for_rows(*stream_, rows, k + 1, device::AppendOne<Real>{use.h.at(), h.at(), k});
    use.h = h;
    use.dims.cols = k + 1;
  }
  const Method method = add_factors(parameter, use);
  if (joined) host_.treat(use.bias, method);
}

Method DeviceCollector::add_factors(int parameter, const DeviceMatrixUse& use) {
  Unit unit;
  unit.group = task_.groups[static_cast<size_t>(parameter)];
  unit.method = kernels::cheapest(task_, &use.dims, nullptr);
  const int64_t T = use.dims.positions, m = use.dims.rows, k = use.dims.cols;
  const int64_t row = use.count * m;
  if (unit.method == Method::kJacobian && 2 * T * (row + k) > row * k) {
    // The features themselves are smaller than their factors.
    unit.size = m * k;
    // Inner products do not care for the order that the parameter is stored in.
    DeviceMatrixUse plain = use;
    plain.dims.transposed = false;
    unit.x = formed(*stream_, plain, {0, use.samples});
  } else {
    unit.delta = use.delta;
    unit.h = use.h;
    unit.positions = T;
    unit.rows = m;
    unit.cols = k;
  }
  host_.treat(parameter, unit.method);
  units_.push_back(unit);
  return unit.method;
}

void DeviceCollector::add_bias(const DeviceMatrixUse& use) {
  Unit unit;
  unit.group = task_.groups[static_cast<size_t>(use.bias)];
  unit.size = use.dims.rows;
  unit.x = formed_bias(*stream_, use);
  host_.treat(use.bias, Method::kJacobian);
  units_.push_back(std::move(unit));
}

void DeviceCollector::dense_on_device(int parameter, int64_t count, int64_t samples,
                                      DeviceNumbers features) {
  const int64_t size = sizes_[static_cast<size_t>(parameter)];
  const int64_t numbers = count * samples * size;
  if (!alone(parameter)) {
    auto own = pool_.take<Real>(numbers);
    stream_->fetch(own.get(), features, numbers);
    return host_.dense(parameter, count, samples, std::move(own));
  }
  Unit unit;
  unit.group = task_.groups[static_cast<size_t>(parameter)];
  unit.size = size;
  unit.x = by_sample(*stream_, std::move(features), count, samples, size);
  host_.treat(parameter, Method::kJacobian);
  units_.push_back(std::move(unit));
}

Block DeviceCollector::finish(int64_t first, int64_t samples, int64_t count,
                              std::vector<Method>& methods) {
  Block block = host_.finish(first, samples, count, methods);
  kernels::move_to(stream_, block, std::move(units_));
  return block;
}

}  // namespace AT_PRECISION
}  // namespace at
