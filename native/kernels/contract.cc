#include "kernels/contract.h"

#include <algorithm>

#include "kernels/add_tile.h"
#include "kernels/device_contract.h"
#include "kernels/slices.h"

namespace at::kernels {

namespace {

// Small kernels are cut finer, so that every thread has work.
int64_t step_of(int64_t a, int64_t b, int64_t C) {
  const int64_t aim = std::clamp<int64_t>(std::min(a, b) * C / 4, 32, 320);
  return std::max<int64_t>(1, aim / C);
}

Grid grid_of(int64_t a, int64_t b, int64_t step, bool same) {
  return same ? Grid::half(a, step) : Grid(a, b, step);
}

// Where tiles go in a whole result.
template <class Number>
class Placer {
 public:
  Placer(const KernelTask& task, int64_t component, Number* result)
      : C_(task.components()),
        columns_(task.samples2 * C_),
        step_(task.type == KernelType::kDiagonal ? task.outputs : 1),
        result_(result + component) {}

  // A tile between rows of samples and columns of samples, or its transpose.
  void place(const Number* tile, const Range& rows, const Range& cols, bool transposed) const {
    const int64_t height = rows.size * C_, width = cols.size * C_;
    const int64_t row0 = rows.first * C_, col0 = cols.first * C_;
    if (step_ > 1) return place_apart(tile, rows, cols, transposed);
    if (transposed) {
      const Tile<const Number> from{tile, width};
      const Tile<Number> to{result_ + col0 * columns_ + row0, columns_};
      return reflect(from, to, height, width);
    }
    for (int64_t r = 0; r < height; ++r)
      std::copy_n(tile + r * width, width, result_ + (row0 + r) * columns_ + col0);
  }

 private:
  void place_apart(const Number* tile, const Range& rows, const Range& cols,
                   bool transposed) const {
    for (int64_t r = 0; r < rows.size; ++r)
      for (int64_t c = 0; c < cols.size; ++c) {
        const int64_t row = rows.first + r, col = cols.first + c;
        result_[(transposed ? col * columns_ + row : row * columns_ + col) * step_] =
            tile[r * cols.size + c];
      }
  }

  int64_t C_, columns_, step_;
  Number* result_;
};

// The units of one group in two blocks.
template <class Number>
class Group {
 public:
  Group(const KernelTask& task, int index, const Block<Number>& a, const Block<Number>& b,
        Pool& pool, const Control& control)
      : task_(task), a_(a), b_(b), pool_(pool), control_(control) {
    for (size_t u = 0; u < a.units.size(); ++u) {
      if (a.units[u].group != index) continue;
      if (a.units[u].lazy()) {
        lazy_ = true;
      } else {
        others_.push_back(u);
      }
    }
  }
  bool lazy() const { return lazy_; }
  bool any() const { return lazy_ || !others_.empty(); }
  bool only_lazy() const { return others_.empty(); }
  // Adds those that are not lazy to a tile.
  void add(int64_t component, const Place& place, const Tile<Number>& tile) const {
    for (size_t u : others_) {
      control_.poll();
      const Side<Number> left = a_.units[u].side(task_.type, a_.count, component);
      const Side<Number> right = b_.units[u].side(task_.type, b_.count, component);
      add_tile<Number>({left, right, place, tile}, pool_, control_);
    }
  }

 private:
  const KernelTask& task_;
  const Block<Number>&a_, &b_;
  Pool& pool_;
  const Control& control_;
  bool lazy_ = false;
  std::vector<size_t> others_;
};

// What becomes of a tile.
template <class Number>
struct Finish {
  Placer<Number> placer;
  int64_t C, component, first_a, first_b;
  bool symmetric;
  const Group<Number>* units;  // that are added to it; null: none

  void operator()(const Place& place, Number* tile) const {
    const int64_t height = place.rows.size * C, width = place.cols.size * C;
    const Tile<Number> own{tile, width};
    if (units) units->add(component, place, own);
    if (place.diagonal) reflect(own, own, height, width, true);
    const Range rows{first_a + place.rows.first, place.rows.size};
    const Range cols{first_b + place.cols.first, place.cols.size};
    placer.place(tile, rows, cols, false);
    if (symmetric && !place.diagonal) placer.place(tile, rows, cols, true);
  }
};

// The tiles of two blocks on a device, one after another: each comes down while the next one is
// computed.
template <class Number>
void contract_there(const KernelTask& task, int group, const Block<Number>& a,
                    const Block<Number>& b, const Grid& grid, const Finish<Number>& finish,
                    Pool& pool, const Control& control, device::Pending& pending) {
  for (int64_t index = 0; index < grid.count(); ++index) {
    const Place place = grid.place(index);
    control.poll();
    const auto tile = pool.take<Number>(place.rows.size * finish.C * place.cols.size * finish.C);
    const auto sum =
        contract_on_device(task, group, finish.component, a, b, place, tile.get(), control);
    pending.then([=] { finish(place, tile.get()); }, sum);
    // What is added may be gone when this returns.
    pending.settle(finish.units ? 0 : 1);
  }
}

}  // namespace

template <class Number>
void contract(const KernelTask& task, const Block<Number>& a, const Block<Number>& b, bool same,
              const std::vector<Number*>& results, Pool& pool, const Control& control,
              device::Pending* pending) {
  if (a.on_device && !pending) {
    device::Pending own(a.on_device->stream);
    contract(task, a, b, same, results, pool, control, &own);
    return own.settle();
  }
  const int64_t C = task.components();
  const int64_t rows = a.samples * C, cols = b.samples * C;
  const int64_t kernels = task.type == KernelType::kDiagonal ? task.outputs : 1;
  const int64_t step =
      a.on_device ? device_step<Number>(*a.on_device->stream, C) : step_of(a.samples, b.samples, C);
  const Grid grid = grid_of(a.samples, b.samples, step, same);
  for (int group = 0; group < static_cast<int>(results.size()); ++group) {
    const Group<Number> units(task, group, a, b, pool, control);
    std::shared_ptr<Number> sum;
    if (units.lazy()) sum = pool.take<Number>(rows * cols);
    for (int64_t component = 0; component < kernels; ++component) {
      if (sum) {
        std::fill_n(sum.get(), rows * cols, Number(0));
        contract_slices(task, group, component, a, b, same, sum.get(), pool, control);
      }
      const Finish<Number> finish{Placer<Number>(task, component, results[group]),
                                  C,
                                  component,
                                  a.first,
                                  b.first,
                                  task.symmetric,
                                  units.any() ? &units : nullptr};
      if (a.on_device) {
        contract_there(task, group, a, b, grid, finish, pool, control, *pending);
        continue;
      }
      grid.each([&](const Place& place) {
        const int64_t height = place.rows.size * C, width = place.cols.size * C;
        auto tile = pool.take<Number>(height * width);
        control.poll();
        const Number* from = sum.get() + place.rows.first * C * cols + place.cols.first * C;
        for (int64_t r = 0; r < height; ++r) {
          Number* to = tile.get() + r * width;
          sum ? std::copy_n(from + r * cols, width, to) : std::fill_n(to, width, Number(0));
        }
        finish(place, tile.get());
      });
    }
  }
}

template <class Number>
void accumulate(const KernelTask& task, const Block<Number>& part,
                const std::vector<Number*>& results, Pool& pool, const Control& control) {
  const int64_t C = task.components();
  const Grid grid =
      grid_of(part.samples, part.samples, step_of(part.samples, part.samples, C), true);
  for (int group = 0; group < static_cast<int>(results.size()); ++group) {
    Number* result = results[static_cast<size_t>(group)];
    const Group<Number> units(task, group, part, part, pool, control);
    if (units.lazy()) contract_slices(task, group, 0, part, part, true, result, pool, control);
    if (units.only_lazy()) continue;
    const Triangle<Number> target = Triangle<Number>::in_matrix(grid, C, result);
    grid.each([&](const Place& place) { units.add(0, place, target.at(place)); });
  }
}

template void contract(const KernelTask&, const Block<float>&, const Block<float>&, bool,
                       const std::vector<float*>&, Pool&, const Control&, device::Pending*);
template void contract(const KernelTask&, const Block<double>&, const Block<double>&, bool,
                       const std::vector<double*>&, Pool&, const Control&, device::Pending*);
template void accumulate(const KernelTask&, const Block<float>&, const std::vector<float*>&, Pool&,
                         const Control&);
template void accumulate(const KernelTask&, const Block<double>&, const std::vector<double*>&,
                         Pool&, const Control&);

}  // namespace at::kernels
