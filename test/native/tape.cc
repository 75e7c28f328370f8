#include "graph/tape.h"

#include "support.h"

namespace at::test {

TEST_CASE("tape: attributes by name and kind, with the default at the call") {
  Attributes attributes;
  attributes.set("axis", int64_t{-1});
  attributes.set("alpha", 0.5);
  attributes.set("mode", std::string("linear"));
  attributes.set("pads", std::vector<int64_t>{1, 2});
  attributes.set("activations", std::vector<std::string>{"Tanh"});
  CHECK(attributes.has("axis"));
  CHECK_FALSE(attributes.has("axes"));
  CHECK_EQ(attributes.integer("axis", 3), -1);
  CHECK_EQ(attributes.integer("axes", 3), 3);
  CHECK_EQ(attributes.integer("alpha", 3), 0);
  CHECK_EQ(attributes.number("alpha", 1), 0.5);
  CHECK_EQ(attributes.number("axis", 1), -1);
  CHECK_EQ(attributes.number("beta", 1), 1);
  CHECK_EQ(attributes.text("mode", "nearest"), "linear");
  CHECK_EQ(attributes.text("axis", "nearest"), "nearest");
  CHECK_EQ(attributes.integers("pads"), Shape{1, 2});
  CHECK_EQ(attributes.integers("strides", {1}), Shape{1});
  CHECK_EQ(attributes.texts("activations"), std::vector<std::string>{"Tanh"});
  CHECK(attributes.texts("mode").empty());
}

TEST_CASE("tape: whether a value depends on the sample") {
  Activation value;
  value.shape = {4, 3};
  CHECK_FALSE(value.batched());
  CHECK_EQ(value.size(), 12);
  value.batch_stride = 3;
  CHECK(value.batched());
}

}  // namespace at::test
