#include "train/optimizer.h"

#include <cmath>

#include "core/parallel.h"
#include "device/functions/optimizer.h"
#include "device/launch.h"

namespace at {

namespace {

constexpr int64_t kPiece = 1 << 15;

float narrow(double value) { return static_cast<float>(value); }

// work(rule) with the step's rule.
template <class Work>
void with_rule(const Optimizer& all, double rate, int64_t step, const Work& work) {
  if (all.kind == Optimizer::Kind::kSgd)
    return work(device::Sgd<float>{narrow(all.momentum), narrow(all.decay), narrow(rate)});
  const auto steps = static_cast<double>(step);
  device::Adam<float> adam{};
  adam.beta1 = narrow(all.beta1);
  adam.beta2 = narrow(all.beta2);
  adam.rest1 = narrow(1 - all.beta1);
  adam.rest2 = narrow(1 - all.beta2);
  adam.coupled = all.kind == Optimizer::Kind::kAdam ? narrow(all.decay) : 0.0f;
  adam.shrink = all.kind == Optimizer::Kind::kAdamW ? narrow(1 - rate * all.decay) : 1.0f;
  adam.rate = narrow(rate / (1 - std::pow(all.beta1, steps)));
  adam.root = narrow(1 / std::sqrt(1 - std::pow(all.beta2, steps)));
  adam.epsilon = narrow(all.epsilon);
  work(adam);
}

template <class Rule>
void step_piece(const Rule rule, int64_t count, float* __restrict w, const float* __restrict g,
                float* __restrict first, float* __restrict second) {
  for (int64_t e = 0; e < count; ++e) {
    constexpr bool both = Rule::kMoments > 1;
    const auto next = rule(w[e], g[e], first[e], both ? second[e] : 0.0f);
    first[e] = next.first;
    if (both) second[e] = next.second;
    w[e] = next.weight;
  }
}

}  // namespace

void Optimizer::step(int64_t count, float* w, const float* g, float* first, float* second,
                     double rate, int64_t step) const {
  with_rule(*this, rate, step, [&](const auto& rule) {
    parallel_for(count, kPiece, [&](int64_t begin, int64_t end) {
      step_piece(rule, end - begin, w + begin, g + begin, first + begin,
                 second ? second + begin : nullptr);
    });
  });
}

void Optimizer::step(device::Stream& stream, const device::Buffer<float>& w,
                     const device::Buffer<float>& g, const device::Buffer<float>& first,
                     const device::Buffer<float>& second, double rate, int64_t step) const {
  with_rule(*this, rate, step, [&](const auto& rule) {
    const int64_t count = w.size();
    using Rule = std::decay_t<decltype(rule)>;
    device::for_rows(
        stream, 1, count,
        device::Step<float, Rule>{w.at(), g.at(), first.at(), second.at(), count, rule});
  });
}

}  // namespace at
