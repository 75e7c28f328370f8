#include "train/loss.h"

#include <algorithm>
#include <cmath>

namespace at {

namespace {

int64_t largest(const float* values, int64_t count) {
  return std::max_element(values, values + count) - values;
}

LossSum squared(const float* f, const float* y, int64_t outputs, int64_t n, float* slope) {
  LossSum sum;
  for (int64_t o = 0; o < outputs; ++o) {
    const double difference = static_cast<double>(f[o]) - y[o];
    sum.loss += difference * difference / 2;
    if (slope) slope[o] = static_cast<float>(difference / static_cast<double>(n));
  }
  const bool right =
      outputs == 1 ? (f[0] > 0) == (y[0] > 0) : largest(f, outputs) == largest(y, outputs);
  sum.wrong = right ? 0 : 1;
  return sum;
}

LossSum cross_entropy(const float* f, int32_t label, int64_t outputs, int64_t n, float* slope) {
  const int64_t top = largest(f, outputs);
  const double most = f[top];
  double total = 0;
  for (int64_t o = 0; o < outputs; ++o) total += std::exp(f[o] - most);
  LossSum sum{std::log(total) + most - f[label], top != label};
  if (!slope) return sum;
  for (int64_t o = 0; o < outputs; ++o) {
    const double share = std::exp(f[o] - most) / total;
    slope[o] = static_cast<float>((share - (o == label ? 1 : 0)) / static_cast<double>(n));
  }
  return sum;
}

}  // namespace

LossSum loss_of(const Targets& targets, const uint32_t* rows, int64_t n, int64_t outputs,
                const float* f, float* slope, int64_t batch) {
  LossSum sum;
  for (int64_t i = 0; i < n; ++i) {
    const float* own = f + i * outputs;
    float* to = slope ? slope + i * outputs : nullptr;
    const int64_t row = rows[i];
    sum += targets.classes ? cross_entropy(own, targets.classes[row], outputs, batch, to)
                           : squared(own, targets.numbers + row * outputs, outputs, batch, to);
  }
  return sum;
}

}  // namespace at
