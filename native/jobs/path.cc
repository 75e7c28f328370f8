#include "jobs/path.h"

#include "core/parallel.h"
#include "core/shape.h"

namespace at {
inline namespace AT_PRECISION {

void PathChange::add(const Tape& tape, const Frame& frame, const Path& path, size_t node,
                     int64_t first, const JobSettings& settings, Pool& pool) {
  const auto count = static_cast<int64_t>(settings.outputs.size());
  const int segment = path.segments[node];
  if (segment != segment_)
    tangents_ =
        std::make_unique<TangentsOf>(tape, 1, path.directions[static_cast<size_t>(segment)]);
  segment_ = segment;
  auto part = pool.take<Real>(frame.samples * count);
  tangents_->read(frame, settings, pool, part.get());
  Real* change = path.change + first * count;
  const auto weight = static_cast<Real>(path.change_weights[node]);
  for (int64_t e = 0; e < frame.samples * count; ++e)
    change[e] = (node == 0 ? 0 : change[e]) + weight * part.get()[e];
}

PathCollector::PathCollector(FeatureSink& collector, std::vector<int64_t> sizes, Pool& pool)
    : collector_(collector), sizes_(std::move(sizes)), pool_(pool), sums_(sizes_.size()) {}

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

void PathCollector::finish(int64_t samples, int64_t count) {
  for (size_t p = 0; p < sums_.size(); ++p)
    if (sums_[p]) collector_.dense(static_cast<int>(p), count, samples, std::move(sums_[p]));
}

}  // namespace AT_PRECISION
}  // namespace at
