#include "jobs/path.h"

#include "core/parallel.h"
#include "core/shape.h"
#include "forward/pass.h"

namespace at {
inline namespace AT_PRECISION {

void add_change(const Tape& tape, const Frame& frame, const Path& path, size_t node, int64_t first,
                const std::vector<int64_t>& outputs, Pool& pool, const Control& control) {
  const auto count = static_cast<int64_t>(outputs.size());
  const auto& directions = path.directions[static_cast<size_t>(path.segments[node])];
  auto part = pool.take<Real>(frame.samples * count);
  const auto tangent = forward_pass(tape, frame, 1, directions, pool, control);
  read_tangent(tape, frame, outputs, 1, tangent.get(), part.get());
  Real* change = path.change + first * count;
  const auto weight = static_cast<Real>(path.change_weights[node]);
  for (int64_t e = 0; e < frame.samples * count; ++e)
    change[e] = (node == 0 ? 0 : change[e]) + weight * part.get()[e];
}

PathCollector::PathCollector(const KernelTask& task, std::vector<int64_t> sizes,
                             std::vector<int> uses, Pool& pool)
    : collector_(task, sizes, std::move(uses), pool),
      sizes_(std::move(sizes)),
      pool_(pool),
      sums_(sizes_.size()) {}

void PathCollector::matrix(int parameter, MatrixUse use) {
  if (weight_ != 1) {
    Real* delta = use.delta.get();
    const int64_t size =
        use.samples * use.dims.groups * use.dims.positions * use.count * use.dims.rows;
    parallel_for(size, 1 << 16, [&](int64_t first, int64_t last) {
      for (int64_t e = first; e < last; ++e) delta[e] *= weight_;
    });
  }
  collector_.matrix(parameter, std::move(use));
}

void PathCollector::dense(int parameter, int64_t count, int64_t samples,
                          std::shared_ptr<Real> features) {
  const int64_t size = checked_mul(count * samples, sizes_[parameter]);
  auto& sum = sums_[parameter];
  // Others may still read the features: they are summed elsewhere.
  const bool add = sum != nullptr;
  if (!add) sum = pool_.take<Real>(size);
  Real* to = sum.get();
  const Real* from = features.get();
  parallel_for(size, 1 << 16, [&](int64_t first, int64_t last) {
    for (int64_t e = first; e < last; ++e)
      to[e] = add ? to[e] + weight_ * from[e] : weight_ * from[e];
  });
}

Block PathCollector::finish(int64_t first, int64_t samples, int64_t count,
                            std::vector<Method>& methods) {
  for (size_t p = 0; p < sums_.size(); ++p)
    if (sums_[p]) collector_.dense(static_cast<int>(p), count, samples, std::move(sums_[p]));
  return collector_.finish(first, samples, count, methods);
}

}  // namespace AT_PRECISION
}  // namespace at
