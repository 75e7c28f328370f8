#include "rules/support/panels.h"

#include <vector>

#include "support.h"

namespace at::test {

using namespace at::f32;

TEST_CASE("panels: products of every width are exact on whole numbers") {
  const auto number = [](int64_t e, int64_t step) { return static_cast<float>(e * step % 11 - 5); };
  for (int64_t n = kLanes; n <= 10 * kLanes; n += kLanes)
    for (bool in_panels : {false, true})
      for (bool add : {false, true}) {
        const int64_t depth = 5, rows = 3 * kLanes, ld_to = n + 1;
        const int64_t ld = (n / kPanelColumns + 1) * kPanelColumns;
        std::vector<float> left(static_cast<size_t>(rows * depth));
        std::vector<float> right(static_cast<size_t>(depth * ld));
        for (int64_t e = 0; e < rows * depth; ++e) left[static_cast<size_t>(e)] = number(e, 7);
        for (int64_t e = 0; e < depth * ld; ++e) right[static_cast<size_t>(e)] = number(e, 3);
        std::vector<float> to(static_cast<size_t>(rows * ld_to), 2);
        const RightOperand operand = in_panels ? RightOperand::in_panels(right.data(), depth)
                                               : RightOperand::by_rows(right.data(), ld);
        // What is fetched ahead changes nothing.
        const NextOperands next{add ? left.data() : nullptr, in_panels ? right.data() : nullptr};
        multiply_panels(rows, n, depth, left.data(), operand, add, to.data(), ld_to, next);
        int64_t wrong = 0;
        for (int64_t i = 0; i < rows; ++i)
          for (int64_t j = 0; j < ld_to; ++j) {
            float sum = add || j >= n ? 2 : 0;
            for (int64_t p = 0; p < depth && j < n; ++p) {
              const int64_t line = j / kPanelColumns * depth + p;
              const int64_t at = in_panels ? line * kPanelColumns + j % kPanelColumns : p * ld + j;
              sum += number((i / kLanes * depth + p) * kLanes + i % kLanes, 7) * number(at, 3);
            }
            wrong += to[static_cast<size_t>(i * ld_to + j)] != sum;
          }
        CHECK_MESSAGE(wrong == 0, "n " << n << ", in panels: " << in_panels);
      }
}

}  // namespace at::test
