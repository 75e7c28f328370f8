#include "linear/softmax.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "linear/softmax_kernel.h"

namespace at::linear {

namespace {

using Vector = std::vector<double>;

// A decrease of so little of the objective is the last one: the next would be about its square.
constexpr double kEnough = 1e-10;
constexpr double kSufficient = 1e-4;
constexpr int kHalvings = 60;

double dot(const Vector& a, const Vector& b) {
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

class Newton {
 public:
  Newton(const SoftmaxProblem& problem, const SoftmaxKernel& kernel, const Control& control)
      : problem_(problem),
        kernel_(kernel),
        control_(control),
        o_(problem.outputs),
        n_(problem.samples * problem.outputs),
        p_(static_cast<size_t>(n_)),
        s_(static_cast<size_t>(n_)) {
    found_.alpha.assign(static_cast<size_t>(n_), 0);
    found_.fit.assign(static_cast<size_t>(n_), 0);
  }

  SoftmaxFit run() {
    settle();
    while (!found_.converged && found_.iterations < problem_.iterations) {
      control_.poll();
      if (!step()) break;
    }
    return std::move(found_);
  }

 private:
  // Σ_i −log of what the target's classes get, at f0 + u.
  double loss_at(const Vector& u) const {
    double sum = 0;
    for (int64_t i = 0; i < n_; i += o_) {
      double most = -INFINITY, all = 0;
      for (int64_t o = i; o < i + o_; ++o) most = std::max(most, problem_.offset[o] + u[o]);
      for (int64_t o = i; o < i + o_; ++o) all += std::exp(problem_.offset[o] + u[o] - most);
      const double level = most + std::log(all);
      for (int64_t o = i; o < i + o_; ++o)
        sum += problem_.target[o] * (level - problem_.offset[o] - u[o]);
    }
    return sum;
  }

  // p, √p and the objective at the point where we are.
  void settle() {
    for (int64_t i = 0; i < n_; i += o_) {
      double most = -INFINITY, all = 0;
      for (int64_t o = i; o < i + o_; ++o)
        most = std::max(most, problem_.offset[o] + found_.fit[o]);
      for (int64_t o = i; o < i + o_; ++o) {
        p_[o] = std::exp(problem_.offset[o] + found_.fit[o] - most);
        all += p_[o];
      }
      for (int64_t o = i; o < i + o_; ++o) {
        p_[o] /= all;
        s_[o] = std::sqrt(p_[o]);
      }
    }
    found_.loss = loss_at(found_.fit);
    found_.objective = found_.loss + problem_.ridge / 2 * dot(found_.alpha, found_.fit);
  }

  // R x of one sample: s ∘ x − p (s·x).
  void scatter(Vector& x) const {
    for (int64_t i = 0; i < n_; i += o_) {
      double sum = 0;
      for (int64_t o = i; o < i + o_; ++o) sum += s_[o] * x[o];
      for (int64_t o = i; o < i + o_; ++o) x[o] = s_[o] * x[o] - p_[o] * sum;
    }
  }

  // False where rounding leaves nothing to gain.
  bool step() {
    const double ridge = problem_.ridge;
    Vector rest(static_cast<size_t>(n_)), b(static_cast<size_t>(n_));
    for (int64_t i = 0; i < n_; i += o_) {
      double mean = 0;
      for (int64_t o = i; o < i + o_; ++o) mean += p_[o] * found_.fit[o];
      for (int64_t o = i; o < i + o_; ++o) {
        const double slope = problem_.target[o] - p_[o];
        rest[o] = slope - ridge * found_.alpha[o];
        b[o] = slope + p_[o] * (found_.fit[o] - mean);
      }
    }
    Vector inner = kernel_.times(b);
    gather(p_, s_, o_, inner.data());
    inner = kernel_.solved(p_, s_, inner, control_);
    scatter(inner);
    Vector way(static_cast<size_t>(n_));
    for (int64_t r = 0; r < n_; ++r) way[r] = (b[r] - inner[r]) / ridge - found_.alpha[r];
    return move(way, kernel_.times(way), rest);
  }

  bool move(const Vector& way, const Vector& change, const Vector& rest) {
    const double promised = dot(rest, change);
    found_.decrease = promised / std::max(std::abs(found_.objective), 1e-300);
    ++found_.iterations;
    Vector alpha(static_cast<size_t>(n_)), fit(static_cast<size_t>(n_));
    double length = 1;
    for (int halving = 0; halving < kHalvings; ++halving, length /= 2) {
      for (int64_t r = 0; r < n_; ++r) {
        alpha[r] = found_.alpha[r] + length * way[r];
        fit[r] = found_.fit[r] + length * change[r];
      }
      const double objective = loss_at(fit) + problem_.ridge / 2 * dot(alpha, fit);
      // Near the optimum the objective cannot tell any more; the step is as good as the slope is.
      const bool near = found_.decrease <= kEnough;
      if (!near && !(objective <= found_.objective - kSufficient * length * promised)) continue;
      found_.alpha = alpha;
      found_.fit = fit;
      found_.converged = near;
      settle();
      return true;
    }
    return false;
  }

  const SoftmaxProblem& problem_;
  const SoftmaxKernel& kernel_;
  const Control& control_;
  int64_t o_, n_;
  Vector p_, s_;
  SoftmaxFit found_;
};

}  // namespace

SoftmaxFit softmax_fit(const SoftmaxProblem& problem, const Control& control,
                       std::shared_ptr<device::Stream> stream) {
  const auto kernel = softmax_kernel(problem, std::move(stream));
  return Newton(problem, *kernel, control).run();
}

}  // namespace at::linear
