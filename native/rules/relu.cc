#include "core/parallel.h"
#include "rules/rule.h"

namespace at {
namespace {

// y = max(x, 0); dy/dx = 1 where y > 0, and 0 at the kink as in PyTorch.
class Relu final : public Rule {
 public:
  Needs needs(const Node&, const std::vector<bool>&) const override { return {{}, {0}}; }

  void reverse(Call& call) const override {
    const Activation& y = call.output(0);
    const int64_t size = y.size();
    const float* value = y.floats();
    const float* out = call.out(0);
    float* in = call.in_place(0);
    parallel_for(call.count() * size, 1 << 16, [&](int64_t first, int64_t last) {
      for (int64_t e = first; e < last;) {
        const int64_t from = e % size;
        const int64_t run = std::min(size - from, last - e);
        for (int64_t r = 0; r < run; ++r) in[e + r] = value[from + r] > 0 ? out[e + r] : 0.0f;
        e += run;
      }
    });
  }
};

const Registration relu("Relu", std::make_unique<Relu>());

}  // namespace
}  // namespace at
