#include "train/optimizer.h"

#include <cmath>

#include "core/parallel.h"

namespace at {

namespace {

constexpr int64_t kPiece = 1 << 15;

struct Sgd {
  float momentum, decay, rate;
  void operator()(float* __restrict w, const float* __restrict g, float* __restrict v,
                  int64_t count) const {
    for (int64_t e = 0; e < count; ++e) {
      const float next = momentum * v[e] + g[e] + decay * w[e];
      v[e] = next;
      w[e] -= rate * next;
    }
  }
};

struct Adam {
  float beta1, beta2, rest1, rest2, coupled, shrink, rate, root, epsilon;
  void operator()(float* __restrict w, const float* __restrict g, float* __restrict first,
                  float* __restrict second, int64_t count) const {
    for (int64_t e = 0; e < count; ++e) {
      const float own = w[e] * shrink;
      const float slope = g[e] + coupled * own;
      const float m = beta1 * first[e] + rest1 * slope;
      const float v = beta2 * second[e] + rest2 * slope * slope;
      first[e] = m;
      second[e] = v;
      w[e] = own - rate * m / (std::sqrt(v) * root + epsilon);
    }
  }
};

}  // namespace

void Optimizer::step(int64_t count, float* w, const float* g, float* first, float* second,
                     double rate, int64_t step) const {
  const auto narrow = [](double value) { return static_cast<float>(value); };
  if (kind == Kind::kSgd) {
    const Sgd sgd{narrow(momentum), narrow(decay), narrow(rate)};
    parallel_for(count, kPiece, [&](int64_t begin, int64_t end) {
      sgd(w + begin, g + begin, first + begin, end - begin);
    });
    return;
  }
  const auto steps = static_cast<double>(step);
  Adam adam{};
  adam.beta1 = narrow(beta1);
  adam.beta2 = narrow(beta2);
  adam.rest1 = narrow(1 - beta1);
  adam.rest2 = narrow(1 - beta2);
  adam.coupled = kind == Kind::kAdam ? narrow(decay) : 0.0f;
  adam.shrink = kind == Kind::kAdamW ? narrow(1 - rate * decay) : 1.0f;
  adam.rate = narrow(rate / (1 - std::pow(beta1, steps)));
  adam.root = narrow(1 / std::sqrt(1 - std::pow(beta2, steps)));
  adam.epsilon = narrow(epsilon);
  parallel_for(count, kPiece, [&](int64_t begin, int64_t end) {
    adam(w + begin, g + begin, first + begin, second + begin, end - begin);
  });
}

}  // namespace at
