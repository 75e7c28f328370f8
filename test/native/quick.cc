#include "rules/support/quick.h"

#include <cmath>
#include <functional>

#include "core/wider.h"
#include "rules/support/in_place.h"
#include "support.h"

namespace at::test {

namespace {

using namespace at::f32;

struct Case {
  QuickWay way;
  Shape in, kernel, pads;
  int64_t groups, m, channels, images;
  int64_t stride = 1;  // along the last axis
};

Correlation correlation_of(const Case& c) {
  Node node;
  node.attributes.set("pads", c.pads);
  const size_t rank = c.in.size();
  Shape out, strides(rank, 1);
  strides.back() = c.stride;
  node.attributes.set("strides", strides);
  for (size_t a = 0; a < rank; ++a)
    out.push_back((c.in[a] + c.pads[a] + c.pads[rank + a] - c.kernel[a]) / strides[a] + 1);
  return {c.groups, c.m, c.channels, Windows(node, c.in, out, c.kernel)};
}

// body(output position, input position, number of the kernel) where the window lies inside.
template <class Body>
void each_pair(const Windows& w, const Body& body) {
  for (int64_t oy = 0; oy < w.out[1]; ++oy)
    for (int64_t ox = 0; ox < w.out[2]; ++ox)
      for (int64_t ky = 0; ky < w.kernel[1]; ++ky)
        for (int64_t kx = 0; kx < w.kernel[2]; ++kx) {
          const int64_t y = w.at(1, oy, ky), x = w.at(2, ox, kx);
          if (y >= 0 && y < w.in[1] && x >= 0 && x < w.in[2])
            body(oy * w.out[2] + ox, y * w.in[2] + x, ky * w.kernel[2] + kx);
        }
}

constexpr double kTolerance = 5e-6;

// A kernel's first and last rows tell as much as all of them.
void check_correlation(const Case& c, const Correlation& g) {
  const int64_t in = g.windows.in_size(), out = g.windows.out_size();
  const int64_t size = g.windows.kernel_size(), rows = c.groups * c.m;
  Random random(1);
  const auto x = random.normals<float>(c.images * c.groups * c.channels * in);
  const auto w = random.normals<float>(rows * g.k());
  std::vector<float> found(static_cast<size_t>(c.images * rows * out), NAN);
  std::vector<float> room(static_cast<size_t>(quick_room(c.way, g)), NAN);
  correlate_quick(c.way, g, x.data(), c.images, w.data(), found.data(), room.data());
  std::vector<float> some;
  std::vector<double> exact;
  for (int64_t b = 0; b < c.images; ++b)
    for (int64_t j : {int64_t{0}, rows - 1}) {
      std::vector<double> own(static_cast<size_t>(out), 0);
      for (int64_t q = 0; q < c.channels; ++q) {
        const float* plane = x.data() + ((b * c.groups + j / c.m) * c.channels + q) * in;
        const float* kernel = w.data() + (j * c.channels + q) * size;
        each_pair(g.windows, [&](int64_t o, int64_t i, int64_t k) {
          own[static_cast<size_t>(o)] += static_cast<double>(kernel[k]) * plane[i];
        });
      }
      exact.insert(exact.end(), own.begin(), own.end());
      const float* line = found.data() + (b * rows + j) * out;
      some.insert(some.end(), line, line + out);
    }
  near(some, exact, kTolerance);
}

using Multiply = std::function<void(const StackedProduct&)>;
void check_product(const Case& c, const Correlation& g, const Multiply& multiply) {
  const int64_t in = g.windows.in_size(), out = g.windows.out_size();
  const int64_t size = g.windows.kernel_size(), stacked = 2;
  Random random(2);
  const auto x = random.normals<float>(c.images * c.channels * in);
  const auto rows = random.normals<float>(c.images * stacked * c.m * out);
  StackedProduct product{{}, stacked, c.images * c.m * out, nullptr, c.m * g.k()};
  for (int64_t b = 0; b < c.images; ++b)
    product.images.push_back({rows.data() + b * c.m * out, x.data() + b * c.channels * in});
  std::vector<float> found(static_cast<size_t>(stacked * c.m * g.k()), NAN);
  product.to = found.data();
  multiply(product);
  std::vector<float> some;
  std::vector<double> exact;
  for (int64_t r : {int64_t{0}, stacked * c.m - 1})
    for (int64_t q : {int64_t{0}, c.channels - 1}) {
      std::vector<double> own(static_cast<size_t>(size), 0);
      for (int64_t b = 0; b < c.images; ++b) {
        const float* row = rows.data() + ((r / c.m * c.images + b) * c.m + r % c.m) * out;
        const float* plane = x.data() + (b * c.channels + q) * in;
        each_pair(g.windows, [&](int64_t o, int64_t i, int64_t k) {
          own[static_cast<size_t>(k)] += static_cast<double>(row[o]) * plane[i];
        });
      }
      exact.insert(exact.end(), own.begin(), own.end());
      const float* line = found.data() + r * g.k() + q * size;
      some.insert(some.end(), line, line + size);
    }
  near(some, exact, kTolerance);
}

// The adjoint's, for what has Y's shape; of the first and the last channel.
void check_spread(const Case& c, const Correlation& g) {
  const int64_t in = g.windows.in_size(), out = g.windows.out_size();
  const int64_t size = g.windows.kernel_size(), rows = c.groups * c.m;
  Random random(3);
  const auto y = random.normals<float>(c.images * rows * out);
  const auto w = random.normals<float>(rows * g.k());
  std::vector<float> found(static_cast<size_t>(c.images * c.groups * c.channels * in), NAN);
  std::vector<float> room(static_cast<size_t>(spread_room(c.way, g)), NAN);
  spread_quick(c.way, g, y.data(), c.images, w.data(), found.data(), room.data());
  std::vector<float> some;
  std::vector<double> exact;
  for (int64_t b = 0; b < c.images; ++b)
    for (int64_t q : {int64_t{0}, c.groups * c.channels - 1}) {
      std::vector<double> own(static_cast<size_t>(in), 0);
      const int64_t group = q / c.channels;
      for (int64_t j = group * c.m; j < (group + 1) * c.m; ++j) {
        const float* plane = y.data() + (b * rows + j) * out;
        const float* kernel = w.data() + (j * c.channels + q % c.channels) * size;
        each_pair(g.windows, [&](int64_t o, int64_t i, int64_t k) {
          own[static_cast<size_t>(i)] += static_cast<double>(kernel[k]) * plane[o];
        });
      }
      exact.insert(exact.end(), own.begin(), own.end());
      const float* line = found.data() + (b * c.groups * c.channels + q) * in;
      some.insert(some.end(), line, line + in);
    }
  near(some, exact, kTolerance);
}

}  // namespace

TEST_CASE("correlations: quick ones are the sums that define them") {
  const Case cases[] = {
      {QuickWay::kFourier, {200}, {7}, {3, 3}, 1, 64, 52, 2},
      {QuickWay::kFourier, {150}, {16}, {0, 9}, 2, 48, 49, 1},
      {QuickWay::kFourier, {137}, {5}, {1, 0}, 1, 50, 48, 3},
      {QuickWay::kToomCook, {300}, {4}, {2, 1}, 1, 64, 64, 1},
      {QuickWay::kRows2, {301}, {2}, {1, 0}, 1, 33, 64, 1},
      {QuickWay::kRows2, {9, 30}, {1, 2}, {0, 1, 0, 1}, 2, 32, 33, 2},
      {QuickWay::kRows3, {150}, {3}, {1, 2}, 1, 64, 40, 2},
      {QuickWay::kRows3, {12, 8}, {1, 3}, {0, 1, 0, 1}, 1, 48, 35, 3},
      {QuickWay::kWinograd, {17, 19}, {3, 3}, {1, 1, 1, 1}, 1, 33, 35, 2},
      {QuickWay::kWinograd, {13, 16}, {3, 3}, {0, 1, 2, 1}, 1, 16, 17, 2},
      {QuickWay::kWinograd, {12, 9}, {3, 3}, {0, 2, 2, 0}, 2, 32, 32, 3},
      {QuickWay::kWinograd, {4, 4}, {3, 3}, {1, 1, 1, 1}, 1, 40, 32, 70},
      {QuickWay::kStrided1, {600}, {4}, {0, 0}, 1, 33, 40, 2, 4},
      {QuickWay::kStrided1, {5, 122}, {1, 2}, {0, 1, 0, 1}, 2, 32, 32, 2, 2},
      {QuickWay::kStrided2, {1201}, {7}, {3, 3}, 1, 40, 35, 2, 4},
      {QuickWay::kStrided2, {7, 62}, {1, 3}, {0, 1, 0, 1}, 2, 32, 33, 2, 2},
      {QuickWay::kStrided2, {901}, {5}, {0, 4}, 1, 33, 32, 1, 3},
      {QuickWay::kStrided2, {2103}, {16}, {7, 3}, 1, 32, 32, 1, 8},
  };
  for (const Case& c : cases) {
    const Correlation g = correlation_of(c);
    CHECK(quick_way(g, c.images) == c.way);
    check_correlation(c, g);
    if (c.stride > 1) check_spread(c, g);
    if (c.groups > 1) continue;
    check_product(c, g, [&](const StackedProduct& product) {
      const int64_t size = quick_product_room(c.way, g, c.images, product.stacked);
      std::vector<float> room(static_cast<size_t>(size), NAN);
      multiply_quick(c.way, g, product, room.data());
    });
  }
}

TEST_CASE("correlations: small products are the sums that define them") {
  const Case cases[] = {
      {QuickWay::kWinograd, {16, 16}, {3, 3}, {1, 1, 1, 1}, 1, 32, 16, 1},
      {QuickWay::kWinograd, {13, 11}, {3, 3}, {1, 0, 0, 2}, 1, 17, 9, 3},
      {QuickWay::kWinograd, {90, 95}, {3, 3}, {1, 1, 1, 1}, 1, 16, 8, 1},
  };
  for (const Case& c : cases) {
    const Correlation g = correlation_of(c);
    CHECK(small_products_pay(g, c.images, int64_t{1} << 20));
    CHECK(!small_products_pay(g, c.images, 1));
    check_product(c, g, [&](const StackedProduct& product) {
      // What is stacked on may be fewer than there is room for.
      multiply_small(g, c.images, product.stacked + 1, 1, [&](int64_t) { return product; });
    });
  }
}

TEST_CASE("correlations: products in place are the sums that define them") {
  const Case cases[] = {
      {QuickWay::kNone, {32, 32}, {3, 3}, {1, 1, 1, 1}, 1, 17, 3, 2},
      {QuickWay::kNone, {33, 66}, {3, 3}, {0, 0, 2, 0}, 1, 3, 1, 1},
      {QuickWay::kNone, {20, 66}, {5, 4}, {2, 1, 2, 0}, 1, 8, 2, 3},
      {QuickWay::kNone, {2003}, {7}, {0, 3}, 1, 6, 5, 1},
  };
  for (const Case& c : cases) {
    const Correlation g = correlation_of(c);
    CHECK(!InPlaceProduct::pays(g, 1));
    if (!has_wider()) continue;
    CHECK(InPlaceProduct::pays(g, int64_t{1} << 20));
    check_product(c, g, [&](const StackedProduct& product) { InPlaceProduct(g).run(product); });
  }
}

TEST_CASE("correlations: those that gain nothing have no quick way") {
  const Case cases[] = {
      {QuickWay::kNone, {200}, {7}, {3, 3}, 1, 16, 64, 2},
      {QuickWay::kNone, {40}, {7}, {3, 3}, 1, 64, 64, 2},
      {QuickWay::kNone, {16, 16}, {3, 3}, {1, 1, 1, 1}, 1, 8, 64, 2},
      {QuickWay::kNone, {16, 16}, {5, 5}, {2, 2, 2, 2}, 1, 64, 64, 2},
  };
  for (const Case& c : cases) CHECK(quick_way(correlation_of(c), c.images) == QuickWay::kNone);
}

}  // namespace at::test
