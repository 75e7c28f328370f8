#include "kernels/device_block.h"

#include <utility>

namespace at::kernels {

template <class Number>
void move_to(const std::shared_ptr<device::Stream>& stream, Block<Number>& block,
             std::vector<DeviceUnit<Number>> there) {
  auto moved = std::make_shared<DeviceBlock<Number>>();
  moved->stream = stream;
  moved->units = std::move(there);
  std::vector<Unit<Number>> staying;
  const auto send = [&](const std::shared_ptr<Number>& from, int64_t count) {
    if (!from) return device::Buffer<Number>();
    return stream->send(from.get(), count);
  };
  for (Unit<Number>& unit : block.units) {
    if (unit.picks) {
      staying.push_back(std::move(unit));
      continue;
    }
    const int64_t places = block.samples * unit.positions;
    DeviceUnit<Number>& to = moved->units.emplace_back();
    to.group = unit.group;
    to.method = unit.method;
    to.x = send(unit.x, block.samples * block.count * unit.size);
    to.size = unit.size;
    to.delta = send(unit.delta, places * block.count * unit.rows);
    to.h = send(unit.h, places * unit.cols);
    to.positions = unit.positions;
    to.rows = unit.rows;
    to.cols = unit.cols;
  }
  block.units = std::move(staying);
  block.on_device = std::move(moved);
}

template <class Number>
std::shared_ptr<const DeviceBlock<Number>> some(const DeviceBlock<Number>& all, int64_t count,
                                                int64_t first) {
  auto part = std::make_shared<DeviceBlock<Number>>();
  part->stream = all.stream;
  // In the same memory.
  const auto from = [](const device::Buffer<Number>& numbers, int64_t at) {
    if (!numbers) return numbers;
    const auto whole = std::make_shared<device::Buffer<Number>>(numbers);
    const std::shared_ptr<void> rest(whole, numbers.at(at).address());
    return device::Buffer<Number>(rest, numbers.size() - at);
  };
  for (DeviceUnit<Number> unit : all.units) {
    unit.x = from(unit.x, first * count * unit.size);
    unit.delta = from(unit.delta, first * unit.positions * count * unit.rows);
    unit.h = from(unit.h, first * unit.positions * unit.cols);
    part->units.push_back(std::move(unit));
  }
  return part;
}

template std::shared_ptr<const DeviceBlock<float>> some(const DeviceBlock<float>&, int64_t,
                                                        int64_t);
template std::shared_ptr<const DeviceBlock<double>> some(const DeviceBlock<double>&, int64_t,
                                                         int64_t);
template void move_to(const std::shared_ptr<device::Stream>&, Block<float>&,
                      std::vector<DeviceUnit<float>>);
template void move_to(const std::shared_ptr<device::Stream>&, Block<double>&,
                      std::vector<DeviceUnit<double>>);

}  // namespace at::kernels
