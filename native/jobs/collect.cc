#include "jobs/collect.h"

#include <algorithm>
#include <cstring>
#include <optional>

#include "core/parallel.h"
#include "jobs/jacobian_sink.h"
#include "jobs/picks.h"
#include "kernels/cost.h"
#include "reverse/expand.h"

namespace at {
inline namespace AT_PRECISION {

namespace {

// Of uses that are one with all their positions; none of no uses.
std::optional<MatrixDims> dims_together(const std::vector<MatrixUse>& uses) {
  if (uses.empty()) return std::nullopt;
  MatrixDims all = uses[0].dims;
  double filled = 0;
  all.positions = 0;
  for (const MatrixUse& use : uses) {
    all.positions += use.dims.positions;
    filled += static_cast<double>(use.dims.positions) * use.dims.share;
  }
  if (uses.size() > 1)
    all.share = filled / static_cast<double>(std::max<int64_t>(1, all.positions));
  return all;
}

}  // namespace

BlockCollector::BlockCollector(const KernelTask& task, std::vector<int64_t> sizes,
                               std::vector<int> uses, Pool& pool, std::function<void(Unit)> take)
    : task_(task),
      sizes_(std::move(sizes)),
      use_counts_(std::move(uses)),
      pool_(pool),
      take_(std::move(take)),
      collected_(sizes_.size()),
      methods_(sizes_.size(), Method::kJacobian),
      done_(sizes_.size(), false) {}

void BlockCollector::matrix(int parameter, MatrixUse use) {
  const int64_t samples = use.samples, count = use.count;
  const int bias = use.bias;
  auto& uses = collected_[parameter].uses;
  if (bias >= 0) collected_[bias].biases.emplace_back(parameter, uses.size());
  uses.push_back(std::move(use));
  // Most weights are used once; their factors need not be kept until the pass ends.
  if (use_counts_[parameter] != 1 || (bias >= 0 && use_counts_[bias] != 1)) return;
  settle(parameter);
  if (bias >= 0 && !done_[bias]) {
    add_dense(bias, samples, count);
    treat(bias, Method::kJacobian);
  }
  collected_[parameter] = Collected();
  if (bias >= 0) collected_[bias] = Collected();
}

void BlockCollector::settle(int parameter) {
  const auto& uses = collected_[parameter].uses;
  std::vector<MatrixUse> factored, picked;
  for (const MatrixUse& use : uses) (use.dims.picks ? picked : factored).push_back(use);
  const bool join = joins_bias(parameter);
  std::optional<MatrixUse> matrix;
  if (!factored.empty()) matrix = concatenated(factored, join);
  const std::optional<MatrixDims> picks = dims_together(picked);
  const Method known = task_.chosen.empty() ? Method::kAuto : task_.chosen[parameter];
  const Method method =
      known != Method::kAuto
          ? known
          : kernels::cheapest(task_, matrix ? &matrix->dims : nullptr, picks ? &*picks : nullptr);
  treat(parameter, method);
  if (join) treat(matrix->bias, method);
  Unit unit;
  unit.group = task_.groups[parameter];
  unit.method = method;
  if (method == Method::kJacobian && picks)
    return add_dense(parameter, uses[0].samples, uses[0].count);
  if (method == Method::kJacobian && !lazy(*matrix)) return add_expanded(unit, *matrix);
  if (picks) {
    unit.picks = merge_picks(picked, pool_);
    unit.crosswise = matrix && matrix->dims.transposed != picks->transposed;
  }
  if (!matrix) return add(std::move(unit));
  add_factored(unit, *matrix);
}

void BlockCollector::treat(int parameter, Method method) {
  methods_[parameter] = method;
  done_[parameter] = true;
}

void BlockCollector::add(Unit unit) {
  if (take_) return take_(std::move(unit));
  units_.push_back(std::move(unit));
}

// Factors that are used at once, or are much smaller than what they expand to, are expanded while
// they are multiplied; see kernels/slices.h.
bool BlockCollector::lazy(const MatrixUse& use) const {
  const MatrixDims& dims = use.dims;
  return dims.groups == 1 && (take_ || 2 * dims.positions * (use.count * dims.rows + dims.cols) <=
                                           use.count * dims.rows * dims.cols);
}

bool BlockCollector::multiplies_out(int, const MatrixDims& dims) const {
  return kernels::cheapest(task_, &dims, nullptr) == Method::kJacobian;
}

void BlockCollector::dense(int parameter, int64_t count, int64_t samples,
                           std::shared_ptr<Real> features) {
  collected_[parameter].dense = std::move(features);
  settle_alone(parameter, samples, count);
}

void BlockCollector::multiplied(int parameter, int64_t count, int64_t samples,
                                std::shared_ptr<Real> features) {
  collected_[parameter].multiplied.push_back(std::move(features));
  settle_alone(parameter, samples, count);
}

// As in matrix(): nothing else will come.
void BlockCollector::settle_alone(int parameter, int64_t samples, int64_t count) {
  if (use_counts_[parameter] != 1) return;
  add_dense(parameter, samples, count);
  treat(parameter, Method::kJacobian);
  collected_[parameter] = Collected();
}

// Uses of one weight in the same roles are one use with all their positions; those that pick rows
// are a second one, of the same matrix or its transpose.
bool BlockCollector::alike(const std::vector<MatrixUse>& uses) const {
  const MatrixDims* seen[2] = {nullptr, nullptr};
  for (const MatrixUse& use : uses) {
    const MatrixDims& a = use.dims;
    if (!seen[a.picks]) seen[a.picks] = &a;
    const MatrixDims& b = *seen[a.picks];
    if (a.groups != b.groups || a.rows != b.rows || a.cols != b.cols ||
        a.transposed != b.transposed)
      return false;
  }
  if (!seen[0] || !seen[1]) return true;
  const MatrixDims &a = *seen[0], &b = *seen[1];
  const bool turned = a.transposed != b.transposed;
  return a.groups == 1 && a.rows == (turned ? b.cols : b.rows) &&
         a.cols == (turned ? b.rows : b.cols);
}

// [X_W x_b] has the factors δ and [h 1]: then the bias costs one more column.
bool BlockCollector::joins_bias(int weight) const {
  const auto& uses = collected_[weight].uses;
  if (uses.empty() || uses[0].bias < 0 || uses[0].dims.groups != 1) return false;
  const int bias = uses[0].bias;
  const Collected& other = collected_[bias];
  if (task_.groups[bias] != task_.groups[weight] || other.formed() || !other.uses.empty() ||
      other.biases.size() != uses.size())
    return false;
  return std::all_of(uses.begin(), uses.end(), [&](const auto& use) { return use.bias == bias; });
}

MatrixUse BlockCollector::concatenated(std::vector<MatrixUse>& uses, bool with_ones) {
  if (uses.size() == 1 && !with_ones) return uses[0];
  MatrixUse all = uses[0];
  const int64_t G = all.dims.groups, n = all.samples, k = all.dims.cols;
  const int64_t row = all.count * all.dims.rows;
  const int64_t width = with_ones ? k + 1 : k;
  all.dims = *dims_together(uses);
  const int64_t T = all.dims.positions;
  all.dims.cols = width;
  all.h = pool_.take<Real>(n * G * T * width);
  if (uses.size() > 1) all.delta = pool_.take<Real>(n * G * T * row);
  parallel_for(n * G, grain_for(T * width), [&](int64_t first, int64_t last) {
    for (int64_t ig = first; ig < last; ++ig) {
      Real* h = all.h.get() + ig * T * width;
      Real* delta = all.delta.get() + ig * T * row;
      for (const MatrixUse& use : uses) {
        const int64_t t = use.dims.positions;
        for (int64_t p = 0; p < t; ++p, h += width) {
          std::memcpy(h, use.h.get() + (ig * t + p) * k, static_cast<size_t>(k) * sizeof(Real));
          if (with_ones) h[k] = 1;
        }
        if (uses.size() == 1) continue;
        std::memcpy(delta, use.delta.get() + ig * t * row,
                    static_cast<size_t>(t * row) * sizeof(Real));
        delta += t * row;
      }
    }
  });
  return all;
}

// One unit per group, so that the engine knows nothing of groups.
void BlockCollector::add_factored(const Unit& kind, const MatrixUse& use) {
  const int64_t G = use.dims.groups, T = use.dims.positions, n = use.samples;
  const int64_t row = T * use.count * use.dims.rows, width = T * use.dims.cols;
  for (int64_t g = 0; g < G; ++g) {
    Unit unit = kind;
    unit.positions = T;
    unit.rows = use.dims.rows;
    unit.cols = use.dims.cols;
    if (G == 1) {
      unit.delta = use.delta;
      unit.h = use.h;
    } else {
      unit.delta = pool_.take<Real>(n * row);
      unit.h = pool_.take<Real>(n * width);
      for (int64_t i = 0; i < n; ++i) {
        std::memcpy(unit.delta.get() + i * row, use.delta.get() + (i * G + g) * row,
                    static_cast<size_t>(row) * sizeof(Real));
        std::memcpy(unit.h.get() + i * width, use.h.get() + (i * G + g) * width,
                    static_cast<size_t>(width) * sizeof(Real));
      }
    }
    add(std::move(unit));
  }
}

void BlockCollector::add_expanded(Unit unit, MatrixUse use) {
  // Inner products do not care for the order that the parameter is stored in.
  use.dims.transposed = false;
  unit.size = use.dims.groups * use.dims.rows * use.dims.cols;
  unit.x = pool_.take<Real>(checked_mul(use.samples * use.count, unit.size));
  expand_matrix(use, use.count * unit.size, unit.size, unit.x.get());
  add(std::move(unit));
}

// Everything that is known of a parameter, added up in the shape that it is stored in.
void BlockCollector::add_dense(int parameter, int64_t samples, int64_t count) {
  const Collected& all = collected_[parameter];
  Unit unit;
  unit.group = task_.groups[parameter];
  unit.size = sizes_[parameter];
  const int64_t numbers = checked_mul(count * samples, unit.size);
  const bool others = all.dense || !all.uses.empty() || !all.biases.empty();
  if (all.multiplied.size() == 1 && !others) {
    unit.x = all.multiplied[0];
    return add(std::move(unit));
  }
  unit.x = pool_.take<Real>(numbers);
  JacobianSink sum(std::vector<Real*>(sizes_.size(), nullptr), sizes_, {0, count, 0}, pool_);
  sum.set_result(parameter, unit.x.get());
  if (all.dense) sum.dense(parameter, count, samples, all.dense);
  for (const auto& features : all.multiplied) sum.multiplied(parameter, count, samples, features);
  for (MatrixUse use : all.uses) {
    use.bias = -1;  // that is a parameter of its own
    sum.matrix(parameter, std::move(use));
  }
  for (const auto& [weight, index] : all.biases) sum.bias(collected_[weight].uses[index]);
  if (!sum.written(parameter)) std::fill_n(unit.x.get(), numbers, Real(0.0));
  add(std::move(unit));
}

Block BlockCollector::finish(int64_t first, int64_t samples, int64_t count,
                             std::vector<Method>& methods) {
  Block block;
  block.first = first;
  block.samples = samples;
  block.count = count;
  const int parameters = static_cast<int>(collected_.size());
  for (int p = 0; p < parameters; ++p) {
    const Collected& all = collected_[p];
    if (all.uses.empty() || all.formed() || !all.biases.empty() || !alike(all.uses)) continue;
    settle(p);
  }
  for (int p = 0; p < parameters; ++p)
    if (!done_[p]) add_dense(p, samples, count);
  methods = methods_;
  block.units = std::move(units_);
  return block;
}

}  // namespace AT_PRECISION
}  // namespace at
