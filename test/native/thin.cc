#include "core/thin.h"

#include <cmath>

#include "rules/support/thin_conv.h"
#include "support.h"

namespace at::test {

using namespace at::f32;

namespace {

// Of rows × columns numbers `count` that are not 0, some of them in one place.
template <class T>
std::vector<T> few(Random& random, int64_t size, int64_t count) {
  std::vector<T> numbers(static_cast<size_t>(size), T(0));
  for (int64_t i = 0; i < count; ++i)
    numbers[static_cast<size_t>(random.below(size))] = static_cast<T>(random.normal());
  return numbers;
}

template <class T>
void check_products(double tolerance) {
  Random random(1);
  for (const Shape& sizes : {Shape{1, 16, 16}, {7, 33, 45}, {64, 100, 19}}) {
    const int64_t m = sizes[0], n = sizes[1], k = sizes[2];
    const int64_t lda = m + 3, ldb = n + 1, ldc = n + 2;
    auto a = few<T>(random, k * lda, m * k / kThin - 2);
    const auto b = random.normals<T>(k * ldb);
    // A negative zero is a zero as well.
    for (int64_t t = 0; t < k; ++t)
      if (a[static_cast<size_t>(t * lda)] == 0) a[static_cast<size_t>(t * lda)] = T(-0.0);
    std::vector<double> truth(static_cast<size_t>(m * n), 0);
    for (int64_t e = 0; e < m * n; ++e)
      for (int64_t t = 0; t < k; ++t)
        truth[static_cast<size_t>(e)] +=
            static_cast<double>(a[static_cast<size_t>(t * lda + e / n)]) *
            b[static_cast<size_t>(t * ldb + e % n)];
    std::vector<T> c(static_cast<size_t>(m * ldc), T(5)), made;
    CHECK(multiply_thin(m, n, k, a.data(), lda, b.data(), ldb, c.data(), ldc));
    for (int64_t e = 0; e < m * ldc; ++e) {
      if (e % ldc < n) {
        made.push_back(c[static_cast<size_t>(e)]);
      } else {
        CHECK_EQ(c[static_cast<size_t>(e)], T(5));
      }
    }
    near(made, truth, tolerance);
  }
}

}  // namespace

TEST_CASE("thin: products of matrices with few numbers") {
  check_products<float>(1e-6);
  check_products<double>(1e-15);
}

TEST_CASE("thin: others are left alone, and a zero meets no number") {
  Random random(2);
  const int64_t m = 8, n = 20, k = 40;
  std::vector<float> c(m * n, 5);
  const auto b = random.normals<float>(k * n);
  for (const std::vector<float>& a :
       {random.normals<float>(k * m), few<float>(random, k * m, k * m / 4)}) {
    CHECK_FALSE(multiply_thin(m, n, k, a.data(), m, b.data(), n, c.data(), n));
    CHECK_FALSE(is_thin(a.data(), k * m));
  }
  CHECK_EQ(c, std::vector<float>(m * n, 5));
  auto spoilt = b;
  for (int64_t j = 0; j < n; ++j) spoilt[static_cast<size_t>(3 * n + j)] = NAN;
  std::vector<float> one(k * m, 0);
  one[5 * m + 2] = 1;
  CHECK(multiply_thin(m, n, k, one.data(), m, spoilt.data(), n, c.data(), n));
  for (int64_t e = 0; e < m * n; ++e)
    CHECK_EQ(c[static_cast<size_t>(e)], e / n == 2 ? b[static_cast<size_t>(5 * n + e % n)] : 0);
  one[3 * m + 1] = NAN;
  CHECK(is_thin(one.data(), k * m));
  CHECK(multiply_thin(m, n, k, one.data(), m, spoilt.data(), n, c.data(), n));
  CHECK(std::isnan(c[n]));
}

TEST_CASE("thin: convolutions of few cotangents, and their adjoints") {
  struct Case {
    Shape in, kernel, strides, dilations, pads;
    int64_t groups;
  };
  const int64_t m = 9, channels = 6, planes = 2;
  Random random(3);
  for (const Case& c : {Case{{50}, {3}, {1}, {1}, {0, 0}, 1},
                        {{50}, {1}, {1}, {1}, {0, 0}, 2},
                        {{61}, {4}, {1}, {2}, {5, 1}, 1},
                        {{61}, {5}, {3}, {1}, {2, 2}, 2},
                        {{70}, {7}, {1}, {1}, {0, 0}, 1},
                        {{1, 40}, {1, 3}, {3, 1}, {1, 1}, {1, 0, 1, 0}, 1},
                        {{11, 9}, {3, 2}, {2, 1}, {1, 2}, {1, 1, 0, 2}, 2},
                        {{4, 5, 6}, {2, 2, 3}, {1, 1, 1}, {1, 1, 1}, {0, 1, 0, 1, 0, 2}, 1}}) {
    Node node;
    node.attributes.set("pads", c.pads);
    node.attributes.set("strides", c.strides);
    node.attributes.set("dilations", c.dilations);
    Shape shape;
    const size_t rank = c.in.size();
    for (size_t a = 0; a < rank; ++a)
      shape.push_back(
          (c.in[a] + c.pads[a] + c.pads[rank + a] - (c.kernel[a] - 1) * c.dilations[a] - 1) /
              c.strides[a] +
          1);
    const Correlation g{c.groups, m, channels, Windows(node, c.in, shape, c.kernel)};
    const int64_t in = g.windows.in_size(), out = g.windows.out_size(), k = g.k();
    const int64_t size = g.windows.kernel_size();
    const auto x = random.normals<float>(channels * in);
    const auto w = random.normals<float>(c.groups * m * k);
    const auto y =
        few<float>(random, planes * c.groups * m * out, planes * c.groups * m * out / kThin - 1);
    CHECK_EQ(thin_pays(g, y.data(), planes), k >= kThin);
    // For every pair of a window and what it sees: body(window, number of x's plane, of the
    // kernel).
    const auto each = [&](const auto& body) {
      const Windows& v = g.windows;
      for (int64_t o = 0; o < out; ++o)
        for (int64_t q = 0; q < size; ++q) {
          const int64_t z = v.at(0, o / v.out[2] / v.out[1], q / v.kernel[2] / v.kernel[1]);
          const int64_t r = v.at(1, o / v.out[2] % v.out[1], q / v.kernel[2] % v.kernel[1]);
          const int64_t s = v.at(2, o % v.out[2], q % v.kernel[2]);
          if (z < 0 || r < 0 || s < 0 || z >= v.in[0] || r >= v.in[1] || s >= v.in[2]) continue;
          body(o, (z * v.in[1] + r) * v.in[2] + s, q);
        }
    };
    std::vector<double> product(static_cast<size_t>(m * k), 1);
    std::vector<double> back(static_cast<size_t>(planes * c.groups * channels * in), 0);
    for (int64_t j = 0; j < m; ++j)
      for (int64_t h = 0; h < channels; ++h)
        each([&](int64_t o, int64_t i, int64_t q) {
          product[static_cast<size_t>(j * k + h * size + q)] +=
              static_cast<double>(y[static_cast<size_t>(j * out + o)]) *
              x[static_cast<size_t>(h * in + i)];
          for (int64_t p = 0; p < planes * c.groups; ++p)
            back[static_cast<size_t>((p * channels + h) * in + i)] +=
                static_cast<double>(y[static_cast<size_t>((p * m + j) * out + o)]) *
                w[static_cast<size_t>((p % c.groups * m + j) * k + h * size + q)];
        });
    std::vector<float> to(static_cast<size_t>(m * k), 1), spread(back.size(), NAN);
    add_thin_product(g, {y.data(), x.data()}, to.data());
    near(to, product, 2e-6);
    spread_thin(g, y.data(), planes, w.data(), spread.data());
    near(spread, back, 2e-6);
  }
}

}  // namespace at::test
