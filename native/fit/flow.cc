#include "fit/flow.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "core/error.h"
#include "core/parallel.h"
#include "fit/dormand_prince.h"

namespace at::fit {

namespace {

// Relative errors of a step: of results, and of what only chooses a time.
constexpr double kExact = 1e-11, kRough = 1e-6;
constexpr int64_t kMaxSteps = 100000;
// θ = z(1 − e^{−s}) is z to that precision from here on.
constexpr double kExactEnd = 40, kRoughEnd = 15;

double power(double b2, int64_t depth) {
  double p = depth % 2 ? std::sqrt(b2) : 1;
  for (int64_t i = 0; i < depth / 2; ++i) p *= b2;
  return p;
}

// A coordinate on its way. With s = −log(1 − θ/z) as the independent variable ds/dt = rate: nothing
// is stiff however long the flow goes on, and θ comes out with its relative precision. ∂θ/∂z at a
// given time is rate·e^{−s}∫e^{s}dt, for it solves the flow's variational equation.
class Coordinate {
 public:
  Coordinate(double lambda, double z, const FlowOptions& options, bool exact)
      : lambda_(lambda),
        z_(z),
        size_(std::abs(z)),
        end_(exact ? kExactEnd : kRoughEnd),
        fixed_(options.fixed),
        exact_(exact),
        law_(lambda, options),
        initial_(options.fixed ? lambda : law_.rate(0)) {
    // Where it does not move its rate is the first one: what there is to say is in closed form.
    simple_ = fixed_ || size_ == 0 || !(initial_ > 1e-280);
    if (simple_) return;
    // β up to where the rate changes, and the s that belongs to it.
    double beta = std::sqrt(lambda);
    if (options.depth > 0)
      beta = std::min(beta, options.start / std::sqrt(static_cast<double>(options.depth)));
    step_ = 0.01 * std::min(1.0, law_.root(0) * beta / size_);
  }

  // Times must not fall.
  void advance(double time) {
    time_ = time;
    if (simple_) return;
    for (int64_t step = 0; s_ < end_ && now_[kTime] < time; ++step) {
      if (step == kMaxSteps)
        throw Error("NUMERICAL", "The gradient flow did not get to its time in " +
                                     std::to_string(kMaxSteps) + " steps: stop it earlier");
      const double h = std::min(step_, end_ - s_);
      Numbers next;
      const double ratio = move(s_, now_, h, next);
      if (ratio <= 1) {
        before_ = now_;
        now_ = next;
        taken_ = h;
        s_ += h;
      }
      step_ = h * step_factor(ratio);
      if (!(step_ > 0))
        throw Error("NUMERICAL", "The gradient flow's steps vanish: stop it earlier");
    }
    shown_ = now_;
    shown_s_ = s_;
    if (now_[kTime] <= time) return;
    exact_ ? land(time) : interpolate(time);
  }

  double theta() const {
    if (done()) return lambda_ > 0 ? z_ : 0;
    return simple_ ? -std::expm1(-initial_ * time_) * z_ : -std::expm1(-shown_s_) * z_;
  }
  double root() const { return fixed_ ? std::sqrt(lambda_) : law_.root(shown_[kBeta]); }
  // ∂θ/∂z
  double derivative() const {
    if (done()) return lambda_ > 0 ? 1 : 0;
    if (simple_) return -std::expm1(-initial_ * time_);
    return law_.rate(shown_[kBeta]) * shown_[kMemory];
  }
  double drift() const {
    return simple_ ? 0
                   : std::abs(law_.theta(shown_[kBeta]) + std::expm1(-shown_s_) * size_) / size_;
  }

 private:
  enum { kBeta, kTime, kMemory, kNumbers };
  using Numbers = std::array<double, kNumbers>;

  bool done() const { return std::isinf(time_) || (!simple_ && shown_s_ >= end_); }

  Numbers slopes(double s, const Numbers& at) const {
    const double slope = law_.slope(at[kBeta]), wait = 1 / (slope * law_.root(at[kBeta]));
    return {size_ * std::exp(-s) / slope, wait, wait - at[kMemory]};
  }

  // Takes a step of h; @returns its error in units of what is allowed.
  double move(double s, const Numbers& from, double h, Numbers& next) const {
    const Numbers error =
        dormand_prince([this](double at, const Numbers& numbers) { return slopes(at, numbers); }, s,
                       from, h, next);
    double ratio = 0;
    for (int i = 0; i < kNumbers; ++i)
      ratio =
          std::max(ratio, std::abs(error[i]) / ((exact_ ? kExact : kRough) * std::abs(next[i])));
    return std::isfinite(ratio) ? ratio : 1e10;
  }

  // Shows `time` within the last step by the shorter step that ends there: Newton on its length.
  void land(double time) {
    const double s = s_ - taken_;
    double length = taken_ * (time - before_[kTime]) / (now_[kTime] - before_[kTime]);
    for (int i = 0; i < 40; ++i) {
      move(s, before_, length, shown_);
      const double off = shown_[kTime] - time;
      if (std::abs(off) <= 1e-13 * time) break;
      length = std::clamp(length - off * law_.rate(shown_[kBeta]), 0.0, taken_);
    }
    shown_s_ = s + length;
  }

  // The same by cubics through both ends of the last step.
  void interpolate(double time) {
    const Numbers first = slopes(s_ - taken_, before_), last = slopes(s_, now_);
    const auto at = [&](int i, double u) {
      const double rise = now_[i] - before_[i], a = taken_ * first[i], b = taken_ * last[i];
      return before_[i] + u * (a + u * (3 * rise - 2 * a - b + u * (a + b - 2 * rise)));
    };
    double low = 0, high = 1;
    for (int i = 0; i < 24; ++i) {
      const double middle = 0.5 * (low + high);
      (at(kTime, middle) < time ? low : high) = middle;
    }
    for (int i = 0; i < kNumbers; ++i) shown_[i] = at(i, high);
    shown_s_ = s_ - taken_ * (1 - high);
  }

  double lambda_, z_, size_, end_;
  bool fixed_, exact_, simple_ = false;
  FlowLaw law_;
  double initial_;
  double time_ = 0, s_ = 0, step_ = 0, taken_ = 0, shown_s_ = 0;
  Numbers before_{}, now_{}, shown_{};
};

double risk_of(const Coordinate& one, double z, double epsilon) {
  const double rest = z - one.theta();
  return rest * rest + epsilon * epsilon * (2 * one.derivative() - 1);
}

}  // namespace

FlowLaw::FlowLaw(double lambda, const FlowOptions& options)
    : lambda_(lambda),
      start2_(options.depth > 0 ? options.start * options.start : 1),
      depth_(options.depth) {}

double FlowLaw::root(double beta) const {
  const double d = static_cast<double>(depth_), square = beta * beta;
  return std::sqrt(lambda_ + square) * power(start2_ + d * square, depth_);
}

double FlowLaw::slope(double beta) const {
  const double d = static_cast<double>(depth_), square = beta * beta;
  const double a2 = lambda_ + square, a = std::sqrt(a2), b2 = start2_ + d * square;
  if (a == 0) return 0;
  return power(b2, depth_) * (a + square / a + a * d * d * square / b2);
}

Flow flow_at(const std::vector<double>& lambda, const std::vector<double>& z,
             const FlowOptions& options, double time, double epsilon, const Control& control) {
  const auto count = static_cast<int64_t>(lambda.size());
  Flow out;
  out.theta.resize(count);
  out.roots.resize(count);
  std::vector<double> risks(count), drifts(count);
  parallel_for(count, 16, [&](int64_t first, int64_t last) {
    for (int64_t j = first; j < last; ++j) {
      control.poll();
      Coordinate one(lambda[j], z[j], options, true);
      one.advance(time);
      out.theta[j] = one.theta();
      out.roots[j] = one.root();
      risks[j] = risk_of(one, z[j], epsilon);
      drifts[j] = one.drift();
    }
  });
  for (int64_t j = 0; j < count; ++j) {
    out.risk += risks[j];
    out.drift = std::max(out.drift, drifts[j]);
  }
  return out;
}

std::vector<double> flow_risks(const std::vector<double>& lambda, const std::vector<double>& z,
                               const FlowOptions& options, const std::vector<double>& times,
                               double epsilon, const Control& control) {
  const auto count = static_cast<int64_t>(lambda.size());
  // Sums by blocks of coordinates, added in their order: the same for any number of threads.
  constexpr int64_t kBlock = 64;
  const int64_t blocks = (count + kBlock - 1) / kBlock;
  std::vector<double> parts(static_cast<size_t>(blocks) * times.size());
  parallel_for(blocks, 1, [&](int64_t first, int64_t last) {
    for (int64_t block = first; block < last; ++block) {
      double* sums = parts.data() + static_cast<size_t>(block) * times.size();
      for (int64_t j = block * kBlock; j < std::min(count, (block + 1) * kBlock); ++j) {
        control.poll();
        Coordinate one(lambda[j], z[j], options, false);
        for (size_t k = 0; k < times.size(); ++k) {
          one.advance(times[k]);
          sums[k] += risk_of(one, z[j], epsilon);
        }
      }
    }
  });
  std::vector<double> risks(times.size());
  for (int64_t block = 0; block < blocks; ++block)
    for (size_t k = 0; k < times.size(); ++k)
      risks[k] += parts[static_cast<size_t>(block) * times.size() + k];
  return risks;
}

}  // namespace at::fit
