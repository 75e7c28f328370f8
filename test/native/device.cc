// The device layer on the emulated device: its memory and its order, and every primitive against
// float64.
#include "device/launch.h"

#include <sys/wait.h>
#include <unistd.h>

#include "core/buffer.h"
#include "device/counted.h"
#include "device/emulated.h"
#include "device/functions/arrange.h"
#include "device/functions/fill.h"
#include "device/functions/gram_product.h"
#include "device/functions/reduce.h"
#include "device/open.h"
#include "device/pending.h"
#include "device_support.h"
#include "on_device.h"

namespace at::test {

using namespace device;

namespace {

template <class T>
void check_products(double tolerance) {
  const auto stream = test_stream();
  Random random(3);
  const int64_t m = 5, n = 7, k = 6, batch = 3, pad = 2;
  for (const bool trans_a : {false, true}) {
    for (const bool trans_b : {false, true}) {
      Product<T> p;
      p.trans_a = trans_a;
      p.trans_b = trans_b;
      p.m = m, p.n = n, p.k = k, p.batch = batch;
      p.alpha = T(0.5), p.beta = T(2);
      p.lda = (trans_a ? m : k) + pad, p.ldb = (trans_b ? k : n) + pad, p.ldc = n + pad;
      p.step_a = p.lda * (trans_a ? k : m) + 1, p.step_b = p.ldb * (trans_b ? n : k) + 1;
      p.step_c = p.ldc * m + 1;
      const auto a = as<T>(random.normals(batch * p.step_a));
      const auto b = as<T>(random.normals(batch * p.step_b));
      const auto c = as<T>(random.normals(batch * p.step_c));
      const auto da = sent(*stream, a), db = sent(*stream, b), dc = sent(*stream, c);
      p.a = da.at(), p.b = db.at(), p.c = dc.at();
      stream->multiply(p);
      std::vector<double> expected(c.begin(), c.end());
      for (int64_t q = 0; q < batch; ++q)
        for (int64_t i = 0; i < m; ++i)
          for (int64_t j = 0; j < n; ++j) {
            double sum = 0;
            for (int64_t l = 0; l < k; ++l)
              sum += double(a[q * p.step_a + (trans_a ? l * p.lda + i : i * p.lda + l)]) *
                     double(b[q * p.step_b + (trans_b ? j * p.ldb + l : l * p.ldb + j)]);
            double& to = expected[q * p.step_c + i * p.ldc + j];
            to = 0.5 * sum + 2 * to;
          }
      near(fetched(*stream, dc), expected, tolerance);
    }
  }
  const auto a = as<T>(random.normals(m * (k + pad))), c = as<T>(random.normals(m * (m + pad)));
  const auto da = sent(*stream, a), dc = sent(*stream, c);
  stream->gram(Gram<T>{m, k, da.at(), k + pad, dc.at(), m + pad, T(0.5), T(2)});
  std::vector<double> expected(c.begin(), c.end());
  for (int64_t i = 0; i < m; ++i)
    for (int64_t j = 0; j <= i; ++j) {
      double sum = 0;
      for (int64_t l = 0; l < k; ++l)
        sum += double(a[i * (k + pad) + l]) * double(a[j * (k + pad) + l]);
      double& to = expected[i * (m + pad) + j];
      to = 0.5 * sum + 2 * to;
    }
  near(fetched(*stream, dc), expected, tolerance);
}

std::string refusal_of(const std::string& device) {
  try {
    check_device(device);
  } catch (const Error& error) {
    CHECK(std::string(error.what()).find(device) != std::string::npos);
    return error.code();
  }
  return "";
}

}  // namespace

TEST_CASE("device: memory that nobody wrote holds no numbers") {
  const auto stream = open_emulated(SIZE_MAX);
  for (int round = 0; round < 2; ++round)
    for (const float number : fetched(*stream, stream->take<float>(1000)))
      CHECK(std::isnan(number));
}

TEST_CASE("device: giving memory back leaves its neighbours alone") {
  const auto stream = open_emulated(SIZE_MAX);
  const std::vector<float> numbers(64, 3.0F);
  std::vector<Buffer<float>> fillers;
  // At every place within a page.
  for (int k = 0; k < 16; ++k) {
    fillers.push_back(stream->take<float>(64));
    auto large = stream->take<float>((5 << 20) / 4 + 64);
    const auto next = sent(*stream, numbers);
    stream->synchronise();
    large = Buffer<float>();
    stream->synchronise();
    CHECK(fetched(*stream, next) == numbers);
  }
}

TEST_CASE("device: nothing is done before the stream is synchronised") {
  const auto stream = open_emulated(SIZE_MAX);
  std::vector<double> to(3, 0.0);
  const auto buffer = sent(*stream, std::vector<double>{1, 2, 3});
  stream->bring(to.data(), Pointer<const double>(buffer.at()), 3);
  for_rows(*stream, 1, 3, Times<double>{buffer.at(), buffer.at(), 3, 2});
  CHECK_EQ(to, std::vector<double>{0, 0, 0});
  stream->synchronise();
  // Numbers that are on their way may not be changed: it shows.
  CHECK_EQ(to, std::vector<double>{2, 4, 6});
}

TEST_CASE("device: numbers that are sent are read at once, and are there for what follows") {
  const auto stream = test_stream();
  // Of a size that takes several pieces of pinned memory, and small ones after one another.
  for (const int64_t size : {3, 1, 5, 2, 7, 9 << 20}) {
    std::vector<float> from(static_cast<size_t>(size));
    for (int64_t e = 0; e < size; ++e) from[e] = static_cast<float>(e % 1001);
    const auto expected = from;
    const auto buffer = stream->send(from.data(), size);
    std::fill(from.begin(), from.end(), 0.0F);
    const auto twice = stream->take<float>(size);
    for_rows(*stream, 1, size, Plus<float>{buffer.at(), buffer.at(), twice.at(), size});
    const auto got = fetched(*stream, twice);
    bool same = true;
    for (int64_t e = 0; e < size; ++e) same = same && got[e] == 2 * expected[e];
    CHECK(same);
  }
}

TEST_CASE("device: waiting for a place leaves what follows it undone") {
  const auto stream = open_emulated(SIZE_MAX);
  const std::vector<double> one{1, 2}, other{3, 4};
  std::vector<double> first(2, 0.0), second(2, 0.0);
  const auto a = stream->send(one.data(), 2);
  stream->bring(first.data(), Pointer<const double>(a.at()), 2);
  const Mark place = stream->mark();
  const auto b = stream->send(other.data(), 2);
  stream->bring(second.data(), Pointer<const double>(b.at()), 2);
  CHECK_EQ(first, std::vector<double>{0, 0});
  stream->wait(place);
  CHECK_EQ(first, one);
  CHECK_EQ(second, std::vector<double>{0, 0});
  stream->synchronise();
  CHECK_EQ(second, other);
}

TEST_CASE("device: numbers that are given up before they were brought are not there") {
  const auto stream = open_emulated(SIZE_MAX);
  const std::vector<double> one{1, 2};
  std::vector<double> to(2, 0.0);
  {
    const auto a = stream->send(one.data(), 2);
    stream->bring(to.data(), Pointer<const double>(a.at()), 2);
  }
  stream->synchronise();
  CHECK(std::isnan(to[0]));
}

TEST_CASE("device: what waits for numbers is done in order, the last of it later") {
  const auto stream = test_stream();
  Pending pending(stream);
  std::vector<std::vector<float>> to(3, std::vector<float>(2, 0.0F));
  std::vector<float> seen;
  Mark between = 0;
  for (int k = 0; k < 3; ++k) {
    const std::vector<float> from{static_cast<float>(k + 1), 0};
    const auto there = stream->send(from.data(), 2);
    stream->bring(to[k].data(), Pointer<const float>(there.at()), 2);
    pending.then([&, k] { seen.push_back(to[k][0]); }, there);
    if (k == 0) between = stream->mark();
  }
  CHECK(seen.empty());
  pending.settle_until(between);
  CHECK_EQ(seen, std::vector<float>{1});
  pending.settle(1);
  CHECK_EQ(seen, std::vector<float>{1, 2});
  pending.settle();
  CHECK_EQ(seen, std::vector<float>{1, 2, 3});
}

TEST_CASE("device: host code that looks into the memory ends with a sentence") {
  const auto stream = open_emulated(SIZE_MAX);
  const auto buffer = stream->take<float>(4);
  int text[2];
  REQUIRE_EQ(pipe(text), 0);
  const pid_t child = fork();
  if (child == 0) {
    dup2(text[1], STDERR_FILENO);
    const volatile float* address = buffer.at().address();
    _exit(*address == 0 ? 1 : 2);
  }
  close(text[1]);
  std::string said;
  char piece[256];
  for (ssize_t n; (n = read(text[0], piece, sizeof piece)) > 0;)
    said.append(piece, static_cast<size_t>(n));
  close(text[0]);
  int status = 0;
  waitpid(child, &status, 0);
  CHECK(WIFEXITED(status));
  CHECK_EQ(WEXITSTATUS(status), 99);
  CHECK(said.find("download it first") != std::string::npos);
}

TEST_CASE("device: a limit is kept, and after an error the stream works") {
  const auto stream = open_emulated(4096);
  {
    const auto half = stream->take<float>(512);
    CHECK_THROWS_AS(stream->take<float>(600), OverBudget);
    for_rows(*stream, 1, 512, Fill<float>{half.at(), 512, 1});
  }
  stream->abandon();
  const auto whole = stream->take<float>(1024);
  for_rows(*stream, 2, 512, Fill<float>{whole.at(), 512, 7});
  CHECK_EQ(fetched(*stream, whole), std::vector<float>(1024, 7.0f));
  CHECK_EQ(stream->counts().most_bytes, 4096);
  CHECK_EQ(stream->counts().bytes_down, 4096);
}

TEST_CASE("device: products and Gram matrices in float and double") {
  check_products<float>(1e-6);
  check_products<double>(1e-15);
}

TEST_CASE("device: numbers are rounded as TF32 has them") {
  // 10 bits behind the point: 2^-10 = 0.0009765625 at 1.
  const double step = 1.0 / 1024;
  CHECK_EQ(double(rounded_to_tf32(float(1 + 0.49 * step))), 1);
  CHECK_EQ(double(rounded_to_tf32(float(1 + 0.5 * step))), 1 + step);
  CHECK_EQ(double(rounded_to_tf32(float(-1 - 0.5 * step))), -1 - step);
  CHECK_EQ(double(rounded_to_tf32(float(3 + 0.9 * step))), 3);
  CHECK_EQ(double(rounded_to_tf32(float(3 + 1.1 * step))), 3 + 2 * step);
  CHECK_EQ(rounded_to_tf32(0.0f), 0.0f);
  CHECK(std::isinf(rounded_to_tf32(INFINITY)));
  CHECK(std::isnan(rounded_to_tf32(NAN)));
}

TEST_CASE("device: products in TF32 are those of rounded factors, and tell their error") {
  const auto stream = test_stream();
  Random random(5);
  const int64_t m = 40, n = 35, k = 64;
  const auto a = random.normals<float>(m * k), b = random.normals<float>(n * k);
  const auto da = sent(*stream, a), db = sent(*stream, b);
  const auto c = stream->take<float>(m * n), d = stream->take<float>(m * m);
  Product<float> p;
  p.trans_b = true;
  p.m = m, p.n = n, p.k = k;
  p.a = da.at(), p.lda = k, p.b = db.at(), p.ldb = k, p.c = c.at(), p.ldc = n;
  const auto measure = [&](Precision precision) {
    stream->set_precision(precision);
    stream->multiply(p);
    stream->gram(Gram<float>{m, k, da.at(), k, d.at(), m, 1, 0});
    return stream->tf32_error();
  };
  CHECK_EQ(measure(Precision::kFloat32).sampled, 0);
  const MeasuredError error = measure(Precision::kTf32);
  CHECK_EQ(error.sampled, 2);
  // Of two factors that are rounded by up to 2^-11 each.
  CHECK(error.largest > 1e-5);
  CHECK(error.largest < 1e-3);
  std::vector<double> exact, rounded;
  for (int64_t i = 0; i < m; ++i)
    for (int64_t j = 0; j < n; ++j) {
      double sum = 0, coarse = 0;
      for (int64_t l = 0; l < k; ++l) {
        sum += double(a[i * k + l]) * double(b[j * k + l]);
        coarse += double(rounded_to_tf32(a[i * k + l])) * double(rounded_to_tf32(b[j * k + l]));
      }
      exact.push_back(sum);
      rounded.push_back(coarse);
    }
  const auto found = fetched(*stream, c);
  // A card may round its factors another way: it is as near, not nearer.
  near(found, exact, 1e-3);
  if (!stream->cuda()) near(found, rounded, 1e-6);
}

TEST_CASE("device: the counted one does nothing, and counts what the others count") {
  const std::vector<float> ones(12, 1.0f);
  const auto count = [&](Stream& stream) {
    const auto a = sent(stream, ones);
    const auto c = stream.take<float>(16);
    for_rows(stream, 4, 4, Fill<float>{c.at(), 4, 1});
    stream.gram(Gram<float>{4, 3, a.at(), 3, c.at(), 4, 1, 1});
    const auto to = stream.fetch(c, 16);
    CHECK_EQ(to[0], stream.limit() == 1024 ? 0.0f : 4.0f);
    return stream.counts();
  };
  const Counts a = count(*open_counted(1024)), b = count(*open_emulated(2048));
  CHECK_EQ(a.launches, b.launches);
  CHECK_EQ(a.products, b.products);
  CHECK_EQ(a.flops, b.flops);
  CHECK_EQ(a.bytes, b.bytes);
  CHECK_EQ(a.bytes_up, b.bytes_up);
  CHECK_EQ(a.bytes_down, b.bytes_down);
  CHECK_EQ(a.most_bytes, b.most_bytes);
  CHECK_THROWS_AS(open_counted(1024)->take<float>(300), OverBudget);
}

TEST_CASE("device: functions over rows, and sums of rows") {
  const auto stream = test_stream();
  Random random(4);
  const int64_t n = 6, C = 2, width = n * C;
  const auto gram = as<float>(random.normals(width * width));
  const auto inner = as<float>(random.normals(n * n));
  const auto dg = sent(*stream, gram), di = sent(*stream, inner);
  const auto out = stream->take<float>(width * width);
  for_rows(*stream, width, width, Fill<float>{out.at(), width, 1});
  const Divider each(C);
  for_rows(*stream, width, width,
           GramProduct<float>{dg.at(), width, di.at(), n, out.at(), width, each, each});
  std::vector<double> expected;
  for (int64_t r = 0; r < width; ++r)
    for (int64_t c = 0; c < width; ++c)
      expected.push_back(1 + double(gram[r * width + c]) * double(inner[r / C * n + c / C]));
  near(fetched(*stream, out), expected, 1e-6);
  const auto sums = stream->take<double>(width);
  sum_rows(*stream, width, width, Sums<float>{dg.at(), width, sums.at()});
  std::vector<double> totals(width, 0.0);
  for (int64_t e = 0; e < width * width; ++e) totals[e / width] += double(gram[e]);
  near(fetched(*stream, sums), totals, 1e-6);
}

TEST_CASE("device: division by multiplication") {
  for (const uint32_t divisor : {1u, 2u, 3u, 7u, 10u, 64u, 1000u, 65537u, 0x7fffffffu}) {
    const Divider d(divisor);
    for (const uint32_t n :
         {0u, 1u, 2u, 9u, 63u, 64u, 999u, 65536u, 1234567890u, 0x7ffffffeu, 0x7fffffffu}) {
      CHECK_EQ(d.quotient(n), n / divisor);
      CHECK_EQ(d.remainder(n), n % divisor);
    }
  }
}

TEST_CASE("device: what cannot be used is refused by name") {
  CHECK_EQ(refusal_of("cpu"), "");
  CHECK_EQ(refusal_of("emulated"), "");
  for (const char* word : {"gpu", "cuda:", "cuda:x", "cuda:-1", "cuda1"})
    CHECK_EQ(refusal_of(word), "BAD_ARGUMENT");
  CHECK_EQ(refusal_of("cuda:999"), "NO_DEVICE");
  for (const Facts& card : find_cards())
    if (!card.why_not.empty()) CHECK_EQ(refusal_of("cuda"), "NO_DEVICE");
  CHECK((open_stream("cpu", 0) == nullptr));
}

}  // namespace at::test
