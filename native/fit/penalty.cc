#include "fit/penalty.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "core/error.h"
#include "core/parallel.h"

// With z = Π z_s and c = 2v²/z², every side is stationary where z_s ω_s'(z_s) = c. So one unknown
// c ties the sides together: log c + 2 Σ log z_s(c) = log 2v². For p ≥ 1 the problem is convex in
// (log z_s) and the left side grows with c, so the root is the minimum. For p < 1 a side can also
// rest at z_s = 1, or lie on the branch where z ω'(z) falls (z < 1/p); a minimum has at most one
// side there. All those cases are tried and the least value wins.

namespace at::fit {

namespace {

constexpr int kMaxSides = 3;
constexpr double kTiny = 1e-140;  // below, v² would lose digits and the penalty is v² anyway

enum class Branch { convex, resting, falling };

struct Side {
  double p;
  double shift;  // s = z − 1
  double log_z;
  double slope;  // d log z / d log c
};

// Solves p (1+s) s^(p−1) = e^u on the rising branch.
void rise(double u, Side& side) {
  const double p = side.p;
  double s;
  if (p == 1) {
    s = u > 0 ? std::expm1(u) : 0;
  } else if (p == 2) {
    const double c = std::exp(u);
    s = c / (1 + std::sqrt(1 + 2 * c));
  } else {
    // Newton in w = log s: log p + log(1+e^w) + (p−1) w is convex, so from the right of the root
    // it descends to it. Where s is large the equation is about p s^p, where small p s^(p−1).
    const double lp = std::log(p);
    double w = (u - lp) / p;
    if (p > 1) {
      // p s^(p−1) (1+s) ≥ both p s^p and p s^(p−1): each alone bounds w from above.
      w = std::min(w, (u - lp) / (p - 1));
    }
    if (w < -700) {
      s = 0;
    } else {
      for (int i = 0; i < 60; ++i) {
        const double e = std::exp(w);
        const double h = lp + std::log1p(e) + (p - 1) * w - u;
        const double d = e / (1 + e) + (p - 1);
        if (!(d > 0)) break;  // the foot of the branch
        const double next = w - h / d;
        const bool done = std::abs(next - w) <= 1e-15 * (1 + std::abs(w));
        w = next;
        if (done || w < -700) break;
      }
      s = w < -700 ? 0 : std::exp(w);
      if (p < 1) s = std::max(s, (1 - p) / p);
    }
  }
  side.shift = s;
  side.log_z = std::log1p(s);
  const double bend = s + (p - 1) * (1 + s);
  side.slope = s > 0 && bend > 0 ? s / bend : 0;
}

// log of the least c for which the rising branch exists.
double foot(double p) {
  if (p >= 1) return -INFINITY;
  const double s = (1 - p) / p;
  return std::log(p) + std::log1p(s) + (p - 1) * std::log(s);
}

class Minimiser {
 public:
  explicit Minimiser(const std::vector<double>& powers) : count_(static_cast<int>(powers.size())) {
    for (int s = 0; s < count_; ++s) powers_[s] = powers[s];
  }

  double solve(double v, double* z, int64_t stride) {
    best_ = INFINITY;
    v_ = v;
    target_ = std::log(2.0) + 2 * std::log(v);
    Branch branches[kMaxSides];
    choose(0, -1, branches);
    for (int s = 0; s < count_; ++s) z[s * stride] = 1 + best_shift_[s];
    return best_;
  }

 private:
  // Every assignment of branches, with at most one side falling.
  void choose(int s, int falling, Branch* branches) {
    if (s == count_) {
      if (falling < 0)
        rising(branches);
      else
        scan(branches, falling);
      return;
    }
    branches[s] = Branch::convex;
    choose(s + 1, falling, branches);
    if (powers_[s] >= 1) return;
    branches[s] = Branch::resting;
    choose(s + 1, falling, branches);
    if (falling >= 0) return;
    branches[s] = Branch::falling;
    choose(s + 1, s, branches);
  }

  // 2 Σ log z_s(e^u) over the convex sides, its derivative, and the shifts.
  double sum(const Branch* branches, double u, double* slope) {
    double total = 0;
    *slope = 0;
    for (int s = 0; s < count_; ++s) {
      if (branches[s] != Branch::convex) continue;
      Side side{powers_[s], 0, 0, 0};
      rise(u, side);
      shift_[s] = side.shift;
      total += 2 * side.log_z;
      *slope += 2 * side.slope;
    }
    return total;
  }

  void rising(const Branch* branches) {
    double low = -INFINITY, slope;
    bool any = false;
    for (int s = 0; s < count_; ++s) {
      if (branches[s] == Branch::resting) shift_[s] = 0;
      if (branches[s] != Branch::convex) continue;
      any = true;
      low = std::max(low, foot(powers_[s]));
    }
    double high = target_;
    if (!any) return keep();
    // z_s(c) grows with c, and c ≤ 2v²: that bounds the root from below as well.
    if (high < low) return;
    low = std::max(low, target_ - sum(branches, high, &slope));
    if (low > high) low = high;
    if (std::isfinite(foot_of(branches)) && low + sum(branches, low, &slope) > target_) return;
    double u = high;
    for (int i = 0; i < 200; ++i) {
      const double f = u + sum(branches, u, &slope) - target_;
      if (f > 0)
        high = u;
      else
        low = u;
      double next = u - f / (1 + slope);
      if (!(next > low && next < high)) next = 0.5 * (low + high);
      if (std::abs(next - u) <= 4e-16 * (1 + std::abs(u)) || f == 0) break;
      u = next;
    }
    keep();
  }

  double foot_of(const Branch* branches) const {
    double low = -INFINITY;
    for (int s = 0; s < count_; ++s) {
      if (branches[s] == Branch::convex) low = std::max(low, foot(powers_[s]));
    }
    return low;
  }

  // One side on its falling branch, given by its shift; a minimum needs s ≥ (1−p)/(2+p).
  void scan(const Branch* branches, int falling) {
    const double p = powers_[falling], last = (1 - p) / p, first = (1 - p) / (2 + p);
    const double foot_others = foot_of(branches);
    for (int s = 0; s < count_; ++s) {
      if (branches[s] == Branch::resting) shift_[s] = 0;
    }
    auto miss = [&](double s) {
      const double u = std::log(p) + std::log1p(s) + (p - 1) * std::log(s);
      double slope;
      if (u < foot_others) return std::nan("");
      const double total = u + sum(branches, u, &slope) + 2 * std::log1p(s) - target_;
      shift_[falling] = s;
      return total;
    };
    constexpr int kPoints = 24;
    double before = miss(first), left = first;
    for (int i = 1; i <= kPoints; ++i) {
      const double right = first + (last - first) * i / kPoints;
      const double here = miss(right);
      if (before <= 0 && here >= 0) {
        double a = left, b = right;
        for (int k = 0; k < 60; ++k) {
          const double middle = 0.5 * (a + b);
          (miss(middle) < 0 ? a : b) = middle;
        }
        miss(0.5 * (a + b));
        keep();
      }
      before = here;
      left = right;
    }
  }

  void keep() {
    double value = 0, stretch = 1;
    for (int s = 0; s < count_; ++s) {
      value += powers_[s] == 2 ? shift_[s] * shift_[s] : std::pow(shift_[s], powers_[s]);
      stretch *= 1 + shift_[s];
    }
    const double rest = v_ / stretch;
    value += rest * rest;
    if (!(value < best_)) return;
    best_ = value;
    std::copy(shift_, shift_ + count_, best_shift_);
  }

  int count_;
  double powers_[kMaxSides] = {};
  double shift_[kMaxSides] = {};
  double best_shift_[kMaxSides] = {};
  double best_ = 0, v_ = 0, target_ = 0;
};

}  // namespace

PowerPenalty::PowerPenalty(std::vector<double> powers) : powers_(std::move(powers)) {
  if (powers_.size() > kMaxSides) {
    throw Error("BAD_ARGUMENT",
                "Expected at most three powers but received " + std::to_string(powers_.size()));
  }
  for (double p : powers_) {
    if (!(p > 0) || !std::isfinite(p)) {
      throw Error("BAD_ARGUMENT",
                  "Expected a positive number for a power of the penalty but "
                  "received " +
                      std::to_string(p));
    }
  }
}

void PowerPenalty::evaluate(const double* v, int64_t count, double* value, double* z) const {
  parallel_for(count, 256, [&](int64_t first, int64_t last) {
    Minimiser minimiser(powers_);
    for (int64_t i = first; i < last; ++i) {
      if (powers_.empty() || v[i] < kTiny) {
        value[i] = v[i] * v[i];
        for (size_t s = 0; s < powers_.size(); ++s) z[s * count + i] = 1;
      } else {
        value[i] = minimiser.solve(v[i], z + i, count);
      }
    }
  });
}

}  // namespace at::fit
