#include "jobs/picks.h"

#include <algorithm>
#include <cstring>
#include <tuple>

#include "core/parallel.h"

namespace at {
inline namespace AT_PRECISION {

std::shared_ptr<const Picks> merge_picks(const std::vector<MatrixUse>& uses, Pool& pool) {
  const MatrixUse& one = uses.at(0);
  const int64_t n = one.samples, C = one.count, m = one.dims.rows, row = C * m;
  struct Place {
    int64_t column, position;
    const Real* delta;
    bool operator<(const Place& other) const {
      return std::tie(column, position) < std::tie(other.column, other.position);
    }
  };
  auto picks = std::make_shared<Picks>();
  picks->rows = m;
  picks->starts.push_back(0);
  std::vector<std::vector<Place>> places(static_cast<size_t>(n));
  for (int64_t i = 0; i < n; ++i) {
    std::vector<Place>& here = places[i];
    for (const MatrixUse& use : uses) {
      const int64_t T = use.dims.positions;
      for (int64_t t = i * T; t < (i + 1) * T; ++t)
        here.push_back(
            {(*use.columns)[t], static_cast<int64_t>(here.size()), use.delta.get() + t * row});
    }
    std::sort(here.begin(), here.end());
    for (size_t e = 0; e < here.size(); ++e)
      if (e == 0 || here[e].column != here[e - 1].column) picks->columns.push_back(here[e].column);
    picks->starts.push_back(static_cast<int64_t>(picks->columns.size()));
  }
  picks->delta = pool.take<Real>(checked_mul(picks->starts.back(), row));
  const int64_t each = picks->starts.back() / std::max<int64_t>(1, n) + 1;
  parallel_for(n, grain_for(each * row), [&](int64_t first, int64_t last) {
    for (int64_t i = first; i < last; ++i) {
      Real* to = picks->delta.get() + picks->starts[i] * row;
      const std::vector<Place>& here = places[i];
      for (size_t e = 0; e < here.size(); ++e) {
        if (e == 0 || here[e].column != here[e - 1].column) {
          if (e > 0) to += row;
          std::memcpy(to, here[e].delta, static_cast<size_t>(row) * sizeof(Real));
        } else {
          for (int64_t r = 0; r < row; ++r) to[r] += here[e].delta[r];
        }
      }
    }
  });
  return picks;
}

}  // namespace AT_PRECISION
}  // namespace at
