#include "core/shape.h"

#include "support.h"

namespace at::test {

TEST_CASE("shape: element counts and their limits") {
  CHECK_EQ(element_count({}), 1);
  CHECK_EQ(element_count({2, 3, 4}), 24);
  CHECK_EQ(element_count({5, 0, 7}), 0);
  CHECK_EQ(count_between({2, 3, 4, 5}, 1, 3), 12);
  CHECK_EQ(count_between({2, 3}, 2, 2), 1);
  CHECK_EQ(code_of([] { element_count({2, -1}); }), "TOO_LARGE");
  CHECK_EQ(code_of([] { element_count({int64_t{1} << 32, int64_t{1} << 31}); }), "TOO_LARGE");
  CHECK_EQ(element_count({int64_t{1} << 32, int64_t{1} << 30}), int64_t{1} << 62);
}

TEST_CASE("shape: checked sums and products") {
  CHECK_EQ(checked_mul(1 << 20, 1 << 20), int64_t{1} << 40);
  CHECK_EQ(checked_add(INT64_MAX - 1, 1), INT64_MAX);
  CHECK_EQ(code_of([] { checked_add(INT64_MAX, 1); }), "TOO_LARGE");
  CHECK_EQ(code_of([] { checked_add(-1, 3); }), "TOO_LARGE");
  CHECK_EQ(code_of([] { checked_mul(INT64_MAX / 2, 3); }), "TOO_LARGE");
}

TEST_CASE("shape: row-major strides") {
  CHECK_EQ(row_major_strides({}), Shape{});
  CHECK_EQ(row_major_strides({7}), Shape{1});
  CHECK_EQ(row_major_strides({2, 3, 4}), Shape{12, 4, 1});
}

TEST_CASE("shape: broadcasting as ONNX describes it") {
  CHECK_EQ(broadcast({2, 3, 4, 5}, {}), Shape{2, 3, 4, 5});
  CHECK_EQ(broadcast({2, 3, 4, 5}, {5}), Shape{2, 3, 4, 5});
  CHECK_EQ(broadcast({4, 5}, {2, 3, 4, 5}), Shape{2, 3, 4, 5});
  CHECK_EQ(broadcast({1, 4, 5}, {2, 3, 1, 1}), Shape{2, 3, 4, 5});
  CHECK_EQ(broadcast({1}, {0}), Shape{0});
  CHECK_EQ(code_of([] { broadcast({2, 3}, {2, 4}); }), "BAD_SHAPE");
  CHECK_EQ(code_of([] { broadcast({3}, {0}); }), "BAD_SHAPE");
}

TEST_CASE("shape: in words") {
  CHECK_EQ(describe(Shape{}), "scalar");
  CHECK_EQ(describe(Shape{2, 3, 4}), "2×3×4");
}

}  // namespace at::test
