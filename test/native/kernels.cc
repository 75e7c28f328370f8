// The kernel engine: every representation of features, kind of kernel and cut into tiles against
// inner products of the features themselves, summed in double.
#include <utility>

#include "core/buffer.h"
#include "kernels/add_tile.h"
#include "kernels/contract.h"
#include "kernels/device_block.h"
#include "kernels/grid.h"
#include "on_device.h"
#include "support.h"

namespace at::test {

using namespace kernels;

namespace {

template <class Number>
std::shared_ptr<Number> shared(const std::vector<double>& numbers) {
  std::shared_ptr<Number> out(new Number[numbers.size()], std::default_delete<Number[]>());
  for (size_t i = 0; i < numbers.size(); ++i) out.get()[i] = static_cast<Number>(numbers[i]);
  return out;
}

// A unit and the features that it stands for: (n, C, size), in double.
template <class Number>
struct Known {
  Unit<Number> unit;
  std::vector<double> features;
  int64_t size = 0;
};

struct Shape {
  int64_t n, C, T, m, k;
};

template <class Number>
void add_factors(Known<Number>& known, const Shape& s, bool transposed, Random& random) {
  known.unit.positions = s.T;
  known.unit.rows = transposed ? s.k : s.m;
  known.unit.cols = transposed ? s.m : s.k;
  const int64_t rows = known.unit.rows, cols = known.unit.cols;
  known.unit.delta = shared<Number>(random.normals(s.n * s.T * s.C * rows));
  known.unit.h = shared<Number>(random.normals(s.n * s.T * cols));
  for (int64_t i = 0; i < s.n; ++i)
    for (int64_t t = 0; t < s.T; ++t)
      for (int64_t c = 0; c < s.C; ++c)
        for (int64_t r = 0; r < rows; ++r)
          for (int64_t q = 0; q < cols; ++q)
            known.features[((i * s.C + c) * s.m + (transposed ? q : r)) * s.k +
                           (transposed ? r : q)] +=
                double(known.unit.delta.get()[((i * s.T + t) * s.C + c) * rows + r]) *
                double(known.unit.h.get()[(i * s.T + t) * cols + q]);
}

template <class Number>
void add_picks(Known<Number>& known, const Shape& s, Random& random) {
  auto picks = std::make_shared<Picks<Number>>();
  picks->rows = s.m;
  picks->starts.push_back(0);
  for (int64_t i = 0; i < s.n; ++i) {
    for (int64_t column = 0; column < s.k; ++column)
      if (random.below(3) == 0) picks->columns.push_back(column);
    picks->starts.push_back(static_cast<int64_t>(picks->columns.size()));
  }
  picks->delta = shared<Number>(random.normals(picks->starts.back() * s.C * s.m));
  for (int64_t i = 0; i < s.n; ++i)
    for (int64_t e = picks->starts[i]; e < picks->starts[i + 1]; ++e)
      for (int64_t c = 0; c < s.C; ++c)
        for (int64_t r = 0; r < s.m; ++r)
          known.features[((i * s.C + c) * s.m + r) * s.k + picks->columns[e]] +=
              double(picks->delta.get()[(e * s.C + c) * s.m + r]);
  known.unit.picks = picks;
}

template <class Number>
Known<Number> made(const std::string& kind, const Shape& s, Random& random) {
  Known<Number> known;
  known.size = s.m * s.k;
  known.features.assign(s.n * s.C * known.size, 0.0);
  known.unit.method = kind == "mixed"                       ? Method::kMixed
                      : kind == "dense" || kind == "slices" ? Method::kJacobian
                                                            : Method::kStructured;
  if (kind == "dense") {
    known.unit.size = known.size;
    known.unit.x = shared<Number>(random.normals(s.n * s.C * known.size));
    for (size_t e = 0; e < known.features.size(); ++e) known.features[e] = known.unit.x.get()[e];
    return known;
  }
  const bool picks = kind.rfind("picks", 0) == 0;
  if (picks) add_picks(known, s, random);
  known.unit.crosswise = kind == "picks crosswise";
  if (kind != "picks") add_factors(known, s, known.unit.crosswise, random);
  return known;
}

// The kernel of that type between samples of `a` and of `b`.
template <class Number>
std::vector<double> truth(KernelType type, const Known<Number>& a, int64_t n1,
                          const Known<Number>& b, int64_t n2, int64_t C) {
  const auto inner = [&](int64_t i, int64_t c, int64_t j, int64_t p) {
    double sum = 0;
    for (int64_t e = 0; e < a.size; ++e)
      sum += a.features[(i * C + c) * a.size + e] * b.features[(j * C + p) * b.size + e];
    return sum;
  };
  std::vector<double> out;
  for (int64_t i = 0; i < n1; ++i) {
    for (int64_t c = 0; type == KernelType::kFull && c < C; ++c)
      for (int64_t j = 0; j < n2; ++j)
        for (int64_t p = 0; p < C; ++p) out.push_back(inner(i, c, j, p));
    for (int64_t j = 0; type != KernelType::kFull && j < n2; ++j) {
      double trace = 0;
      for (int64_t c = 0; c < C; ++c) {
        if (type == KernelType::kDiagonal) out.push_back(inner(i, c, j, c));
        trace += inner(i, c, j, c);
      }
      if (type == KernelType::kTrace) out.push_back(trace);
    }
  }
  return out;
}

using Where = std::shared_ptr<device::Stream>;

template <class Number>
Block<Number> block_of(const Known<Number>& known, int64_t first, const Shape& s,
                       const Where& stream) {
  Block<Number> block{first, s.n, s.C, {known.unit}, nullptr};
  if (stream) move_to(stream, block);
  return block;
}

KernelTask task_of(KernelType type, bool symmetric, int64_t n1, int64_t n2, int64_t C) {
  KernelTask task;
  task.type = type;
  task.symmetric = symmetric;
  task.samples1 = n1;
  task.samples2 = n2;
  task.outputs = C;
  return task;
}

const std::vector<KernelType> types{KernelType::kFull, KernelType::kTrace, KernelType::kDiagonal};

template <class Number>
void check_kind(const std::string& kind, const Shape& shape, double tolerance,
                const Where& stream = nullptr) {
  CAPTURE(kind);
  CAPTURE(shape.T);
  Random random(shape.n * 1000 + shape.T);
  Shape other = shape;
  other.n = shape.n / 2 + 1;
  const auto a = made<Number>(kind, shape, random), b = made<Number>(kind, other, random);
  Pool pool;
  for (const KernelType type : types) {
    CAPTURE(static_cast<int>(type));
    // Of two blocks, once as X and X2 and once as the halves of one X.
    auto expected = truth(type, a, shape.n, b, other.n, shape.C);
    std::vector<Number> cross(expected.size(), Number(NAN));
    contract(task_of(type, false, shape.n, other.n, shape.C), block_of(a, 0, shape, stream),
             block_of(b, 0, other, stream), false, {cross.data()}, pool, Control());
    near(cross, expected, tolerance);

    Known<Number> all = a;
    all.features.insert(all.features.end(), b.features.begin(), b.features.end());
    const int64_t n = shape.n + other.n;
    expected = truth(type, all, n, all, n, shape.C);
    std::vector<Number> whole(expected.size(), Number(NAN));
    const KernelTask task = task_of(type, true, n, n, shape.C);
    const auto first = block_of(a, 0, shape, stream);
    const auto second = block_of(b, shape.n, other, stream);
    contract(task, first, first, true, {whole.data()}, pool, Control());
    contract(task, second, second, true, {whole.data()}, pool, Control());
    contract(task, second, first, false, {whole.data()}, pool, Control());
    near(whole, expected, tolerance);

    if (type == KernelType::kDiagonal || stream) continue;
    expected = truth(type, a, shape.n, a, shape.n, shape.C);
    std::vector<Number> added(expected.size(), Number(0));
    accumulate(task_of(type, true, shape.n, shape.n, shape.C), first, {added.data()}, pool,
               Control());
    mirror(added.data(), shape.n * (type == KernelType::kFull ? shape.C : 1));
    near(added, expected, tolerance);
  }
}

}  // namespace

TEST_CASE("kernels: a grid has every pair of samples once") {
  for (const int64_t step : {1, 3, 7, 100}) {
    for (const bool half : {false, true}) {
      const int64_t rows = 10, cols = half ? rows : 6;
      const Grid grid = half ? Grid::half(rows, step) : Grid(rows, cols, step);
      std::vector<int> seen(rows * cols);
      for (int64_t t = 0; t < grid.count(); ++t) {
        const Place place = grid.place(t);
        CHECK_EQ(place.index, t);
        CHECK_LE(std::max(place.rows.size, place.cols.size), step);
        for (int64_t r = 0; r < place.rows.size; ++r)
          for (int64_t c = 0; c < place.cols.size; ++c) {
            if (place.diagonal && c > r) continue;
            ++seen[(place.rows.first + r) * cols + place.cols.first + c];
          }
      }
      for (int64_t i = 0; i < rows; ++i)
        for (int64_t j = 0; j < cols; ++j) CHECK_EQ(seen[i * cols + j], half && j > i ? 0 : 1);
    }
  }
}

TEST_CASE("kernels: all kinds of features, of kernels and of blocks in float and double") {
  for (const int64_t T : {1, 2, 3}) {
    for (const int64_t n : {5, 70}) {
      const Shape shape{n, 3, T, 4, 6};
      for (const char* kind : {"dense", "structured", "mixed", "slices", "picks",
                               "picks and factors", "picks crosswise"}) {
        check_kind<float>(kind, shape, 3e-6);
        check_kind<double>(kind, shape, 1e-14);
      }
    }
  }
}

TEST_CASE("kernels: long features of few samples, in parts") {
  const Shape shape{3, 2, 1, 300, 700};
  check_kind<float>("dense", shape, 1e-5);
  check_kind<double>("dense", shape, 1e-13);
}

// With so little memory that tiles, slices and what a product is summed of are cut as well.
TEST_CASE("kernels: all kinds of features on a device") {
  for (const size_t memory : {size_t{1} << 30, size_t{1} << 19}) {
    const Where stream = test_stream(memory);
    for (const int64_t T : {1, 2, 3}) {
      for (const int64_t n : {5, 70}) {
        const Shape shape{n, 3, T, 4, 6};
        for (const char* kind :
             {"dense", "structured", "mixed", "slices", "picks", "picks and factors"}) {
          check_kind<float>(kind, shape, 3e-6, stream);
          check_kind<double>(kind, shape, 1e-14, stream);
        }
      }
    }
  }
}

TEST_CASE("kernels: what is known of a factor's inner products is added to") {
  Random random(5);
  const int64_t n = 40, C = 2, m = 3, k = 4;
  const auto delta = random.normals(n * C * (m + 1)), h = random.normals(n * (k + 1));
  const Grid grid = Grid::half(n, 7);
  Pool pool;
  // Inner products over the first numbers of every vector are known, the last number is added.
  const auto known = [&](const std::vector<double>& x, int64_t unit, int64_t width) {
    auto out = Triangle<double>::packed(grid, unit);
    grid.each([&](const Place& p) {
      const Tile<double> tile = out.at(p);
      for (int64_t r = 0; r < p.rows.size * unit; ++r)
        for (int64_t c = 0; c < p.cols.size * unit; ++c) {
          double sum = 0;
          for (int64_t e = 0; e < width; ++e)
            sum += x[(p.rows.first * unit + r) * (width + 1) + e] *
                   x[(p.cols.first * unit + c) * (width + 1) + e];
          tile.data[r * tile.stride + c] = sum;
        }
    });
    return out;
  };
  const auto last = [](const std::vector<double>& x, int64_t width) {
    std::vector<double> out;
    for (size_t e = width - 1; e < x.size(); e += width) out.push_back(x[e]);
    return out;
  };
  const Triangle<double> known_delta = known(delta, C, m), known_h = known(h, 1, k);
  const auto rest_delta = last(delta, m + 1), rest_h = last(h, k + 1);
  Side<double> side;
  side.C = C;
  side.delta = rest_delta.data();
  side.delta_place = C;
  side.h = rest_h.data();
  side.known_delta = &known_delta;
  side.known_h = &known_h;
  std::vector<double> found(n * C * n * C, 0.0), expected;
  const auto target = Triangle<double>::in_matrix(grid, C, found.data());
  grid.each([&](const Place& place) {
    add_tile<double>({side, side, place, target.at(place)}, pool, Control());
  });
  target.mirror();
  const auto inner = [](const std::vector<double>& x, int64_t a, int64_t b, int64_t width) {
    double sum = 0;
    for (int64_t e = 0; e < width; ++e) sum += x[a * width + e] * x[b * width + e];
    return sum;
  };
  for (int64_t r = 0; r < n * C; ++r)
    for (int64_t c = 0; c < n * C; ++c)
      expected.push_back(inner(delta, r, c, m + 1) * inner(h, r / C, c / C, k + 1));
  near(found, expected, 1e-14);
}

}  // namespace at::test
