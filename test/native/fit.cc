// Transformations of features, by their closed forms.
#include "fit/transform.h"

#include "core/lapack.h"
#include "support.h"

namespace at::test {

namespace {

// Stretches of `rank` unit vectors.
fit::Stretch axes(int64_t dim, int64_t rank, double z) {
  fit::Stretch out{dim, std::vector<double>(static_cast<size_t>(dim * rank)), {}};
  for (int64_t j = 0; j < rank; ++j) {
    out.vectors[j * dim + dim - 1 - j] = 1;
    out.z.push_back(z + static_cast<double>(j));
  }
  return out;
}

}  // namespace

TEST_CASE("fit: the norm of what a transformation came from, however much it stretched") {
  const int64_t m = 6, k = 9;
  for (const auto& [left, right] : {std::pair{0, 0}, {2, 0}, {0, 3}, {2, 3}, {6, 9}}) {
    // A stretch of 1e5 leaves no digit of the short sum's difference.
    for (const double z : {1.5, 1e5}) {
      fit::Transform t = fit::Transform::identity({m, k});
      t.modes[0] = axes(m, left, z);
      t.modes[1] = axes(k, right, z);
      auto x = Random(3).normals(m * k);
      double truth = 0;
      for (int64_t i = 0; i < m; ++i)
        for (int64_t j = 0; j < k; ++j) {
          const int64_t l = m - 1 - i, r = k - 1 - j;
          const double by = (l < left ? z + static_cast<double>(l) : 1) *
                            (r < right ? z + static_cast<double>(r) : 1);
          truth += (x[i * k + j] / by) * (x[i * k + j] / by);
        }
      near(std::vector{t.squared_norm_undone(x.data())}, std::vector{truth}, 1e-8);
      t.apply(-1, x.data());
      near(std::vector{lapack::dot(m * k, x.data(), x.data())}, std::vector{truth}, 1e-8);
    }
  }
}

}  // namespace at::test
