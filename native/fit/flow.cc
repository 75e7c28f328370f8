#include "fit/flow.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <mutex>

#include "core/error.h"
#include "core/parallel.h"

namespace at::fit {

namespace {

constexpr double kRelative = 1e-11;
constexpr int64_t kMaxSteps = 1000000;

struct State {
  double a, b, beta;
};

double power(double b, int64_t depth) {
  double p = 1;
  for (int64_t i = 0; i < depth; ++i) p *= b;
  return p;
}

State slope(const State& s, double z, int64_t depth) {
  const double p = power(s.b, depth), rest = z - s.a * p * s.beta;
  const double inner = depth > 0 ? power(s.b, depth - 1) : 0;
  return {rest * p * s.beta, static_cast<double>(depth) * rest * s.a * inner * s.beta,
          rest * s.a * p};
}

State moved(const State& s, double h, const State* k, const double* weights, int count) {
  State out = s;
  for (int i = 0; i < count; ++i) {
    out.a += h * weights[i] * k[i].a;
    out.b += h * weights[i] * k[i].b;
    out.beta += h * weights[i] * k[i].beta;
  }
  return out;
}

// Dormand & Prince 1980; the last row is also the fifth-order solution.
constexpr double kNodes[6][6] = {
    {1.0 / 5},
    {3.0 / 40, 9.0 / 40},
    {44.0 / 45, -56.0 / 15, 32.0 / 9},
    {19372.0 / 6561, -25360.0 / 2187, 64448.0 / 6561, -212.0 / 729},
    {9017.0 / 3168, -355.0 / 33, 46732.0 / 5247, 49.0 / 176, -5103.0 / 18656},
    {35.0 / 384, 0, 500.0 / 1113, 125.0 / 192, -2187.0 / 6784, 11.0 / 84}};
constexpr double kError[7] = {71.0 / 57600,      0,          -71.0 / 16695, 71.0 / 1920,
                              -17253.0 / 339200, 22.0 / 525, -1.0 / 40};

// From `s` over `time`; returns the number of steps.
int64_t integrate(State& s, double z, int64_t depth, double time) {
  if (z == 0 || time == 0) return 0;
  // Scales against which errors are small: what each factor may become.
  const double size = std::sqrt(std::abs(z)) + std::abs(s.a);
  const double tolerance_b = kRelative * (s.b + std::sqrt(static_cast<double>(depth)) * size);
  double at = 0;
  const double speed = std::abs(slope(s, z, depth).beta);
  double h = speed > 0 ? std::min(time, 1e-3 * std::abs(z) / (speed * speed)) : time;
  if (!(h > 0)) h = time * 1e-6;
  State k[7];
  k[0] = slope(s, z, depth);
  for (int64_t step = 0; step < kMaxSteps; ++step) {
    if (std::abs(z - s.a * power(s.b, depth) * s.beta) <= 1e-14 * std::abs(z)) return step;
    if (at + h > time) h = time - at;
    State next{};
    for (int i = 0; i < 6; ++i) {
      next = moved(s, h, k, kNodes[i], i + 1);
      k[i + 1] = slope(next, z, depth);
    }
    const State zero{0, 0, 0};
    const State error = moved(zero, h, k, kError, 7);
    const double tolerance_beta = kRelative * (std::abs(next.beta) + 1e-6 * size);
    const double ratio =
        std::max({std::abs(error.a) / (kRelative * size), std::abs(error.beta) / tolerance_beta,
                  depth > 0 ? std::abs(error.b) / tolerance_b : 0.0});
    if (ratio <= 1) {
      at += h;
      s = next;
      k[0] = k[6];
      if (at >= time) return step + 1;
    }
    const double factor = ratio > 0 ? 0.9 * std::pow(ratio, -0.2) : 5;
    h *= std::clamp(factor, 0.2, 5.0);
    if (!(h > 1e-300)) break;
  }
  throw Error("NUMERICAL", "The gradient flow is too stiff for this time: stop it earlier");
}

}  // namespace

Flow adaptive_flow(const std::vector<double>& lambda, const std::vector<double>& z,
                   const FlowOptions& options, const Control& control) {
  const auto count = static_cast<int64_t>(lambda.size());
  Flow out;
  out.theta.resize(count);
  out.values.resize(count);
  std::mutex mutex;
  parallel_for(count, 16, [&](int64_t first, int64_t last) {
    double drift = 0;
    int64_t steps = 0;
    for (int64_t j = first; j < last; ++j) {
      control.poll();
      const double depth = static_cast<double>(options.depth);
      const State start{std::sqrt(std::max(lambda[j], 0.0)), options.depth > 0 ? options.start : 1,
                        0};
      State s = start;
      steps += integrate(s, z[j], options.depth, options.time);
      out.values[j] = s.a * power(s.b, options.depth);
      out.theta[j] = out.values[j] * s.beta;
      const double first_law = s.a * s.a - s.beta * s.beta - start.a * start.a;
      const double second_law =
          s.b * s.b - depth * s.a * s.a - start.b * start.b + depth * start.a * start.a;
      const double scale = s.a * s.a + s.beta * s.beta + s.b * s.b;
      if (scale > 0)
        drift = std::max({drift, std::abs(first_law) / scale,
                          options.depth > 0 ? std::abs(second_law) / scale : 0.0});
    }
    std::lock_guard<std::mutex> lock(mutex);
    out.drift = std::max(out.drift, drift);
    out.steps += steps;
  });
  return out;
}

}  // namespace at::fit
