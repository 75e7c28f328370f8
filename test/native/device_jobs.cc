#include "device/emulated.h"
#include "device_support.h"
#include "jobs/device_jacobian.h"

namespace at::test {

using device::Pending;

namespace {

// The features δ ⊗ h of a dense layer with m × k weights, on their way into `rows` (n, C, m·k) when
// this returns.
void expand(const std::shared_ptr<device::Stream>& stream, Pending& pending, int64_t n, int64_t C,
            int64_t m, int64_t k, std::vector<float>& rows) {
  Random random(5);
  Pool pool;
  JacobianSink host({rows.data()}, {m * k}, {0, C, 0}, pool);
  DeviceJacobianSink sink(*stream, pending, host, {m * k}, {1}, pool);
  DeviceMatrixUse use;
  use.dims.rows = m;
  use.dims.cols = k;
  use.samples = n;
  use.count = C;
  use.delta = stream->send(random.normals<float>(n * C * m));
  use.h = stream->send(random.normals<float>(n * k));
  sink.matrix_on_device(0, use);
  sink.finish();
}

std::vector<float> expected(int64_t n, int64_t C, int64_t m, int64_t k) {
  Random random(5);
  const auto delta = random.normals<float>(n * C * m), h = random.normals<float>(n * k);
  std::vector<float> rows;
  for (int64_t r = 0; r < n * C; ++r)
    for (int64_t i = 0; i < m; ++i)
      for (int64_t j = 0; j < k; ++j) rows.push_back(delta[r * m + i] * h[r / C * k + j]);
  return rows;
}

}  // namespace

TEST_CASE("device: a Jacobian comes down while the device goes on, and is waited for once") {
  const auto stream = device::open_emulated(SIZE_MAX);
  Pending pending(stream);
  std::vector<float> rows(4 * 2 * 15, 7.0F);
  expand(stream, pending, 4, 2, 3, 5, rows);
  CHECK_EQ(rows, std::vector<float>(rows.size(), 7.0F));
  pending.settle();
  stream->synchronise();
  near(rows, expected(4, 2, 3, 5), 1e-7);
}

TEST_CASE("device: of a small device's memory what is on its way takes a part") {
  // An eighth holds the features of two samples: the others wait until these are down.
  const int64_t n = 40, m = 32, k = 32;
  const auto stream = device::open_emulated(64 << 10);
  Pending pending(stream);
  std::vector<float> rows(static_cast<size_t>(n * m * k), 7.0F);
  expand(stream, pending, n, 1, m, k, rows);
  CHECK(stream->counts().most_bytes < 48 << 10);
  CHECK_EQ(rows.back(), 7.0F);
  CHECK_NE(rows.front(), 7.0F);
  pending.settle();
  stream->synchronise();
  near(rows, expected(n, 1, m, k), 1e-7);
}

TEST_CASE("device: what is given up while features are on their way leaves the results alone") {
  const auto stream = device::open_emulated(SIZE_MAX);
  Pending pending(stream);
  std::vector<float> rows(4 * 15, 7.0F);
  expand(stream, pending, 4, 1, 3, 5, rows);
  pending.forget();
  stream->abandon();
  stream->synchronise();
  CHECK_EQ(rows, std::vector<float>(rows.size(), 7.0F));
  expand(stream, pending, 4, 1, 3, 5, rows);
  pending.settle();
  stream->synchronise();
  near(rows, expected(4, 1, 3, 5), 1e-7);
}

}  // namespace at::test
