#include "fit/coordinates.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/blas.h"
#include "core/error.h"
#include "core/parallel.h"
#include "device/open.h"
#include "fit/dormand_prince.h"

namespace at::fit {

namespace {

constexpr double kTolerance = 1e-9;
// A flow that takes more steps for its time is refused; one of a fold is not followed any longer.
constexpr int64_t kMaxSteps = 200000, kFoldSteps = 20000;

using Numbers = std::vector<double>;

// Products with the functions E (samples, count), which a device keeps.
class Products {
 public:
  explicit Products(const CoordinateProblem& problem)
      : samples_(problem.samples),
        count_(problem.count),
        functions_(problem.functions.data()),
        stream_(device::open_stream(problem.device, problem.memory)) {
    if (!stream_) return;
    matrix_ = stream_->send(functions_, samples_ * count_);
  }
  bool on_device() const { return stream_ != nullptr; }
  // fit (samples) = E θ
  void apply(const Numbers& theta, Numbers& fit) const { multiply(false, theta, fit); }
  // out (count) = Eᵀ rest
  void adjoint(const Numbers& rest, Numbers& out) const { multiply(true, rest, out); }

 private:
  void multiply(bool transposed, const Numbers& from, Numbers& to) const {
    const int64_t rows = transposed ? count_ : samples_, depth = transposed ? samples_ : count_;
    if (!stream_)
      return blas::parallel_gemm(transposed, false, rows, 1, depth, 1.0, functions_, count_,
                                 from.data(), 1, 0.0, to.data(), 1);
    const auto sent = stream_->send(from.data(), depth), made = stream_->take<double>(rows);
    device::Product<double> p;
    p.trans_a = transposed;
    p.m = rows, p.n = p.ldb = p.ldc = 1, p.k = depth;
    p.a = matrix_.at(), p.lda = count_;
    p.b = sent.at(), p.c = made.at();
    stream_->multiply(p);
    stream_->fetch(to.data(), made, rows);
  }

  int64_t samples_, count_;
  const double* functions_;
  std::shared_ptr<device::Stream> stream_;
  device::Buffer<double> matrix_;
};

// The flow on the samples that are not left out. The state is φ_j with β_j = √λ_j sinh φ_j, in
// which small eigenvalues need no small steps: dφ_j/dt = b_j^D·(Eᵀ(y − Eθ)/n)_j. Where the
// eigenvalues are fixed it is θ_j/√λ_j = β_j itself.
class Samples {
 public:
  Samples(const CoordinateProblem& problem, const Products& products, const std::vector<int>& fold,
          int left_out)
      : problem_(problem),
        products_(products),
        state_(problem.count),
        theta_(problem.count),
        kept_(problem.samples, 1) {
    for (const double value : problem.lambda) {
      laws_.emplace_back(value, problem.options);
      roots_.push_back(std::sqrt(value));
    }
    if (left_out >= 0)
      for (int64_t i = 0; i < problem.samples; ++i) kept_[i] = fold[i] != left_out;
    for (const char kept : kept_) rows_ += kept;
    for (Numbers& k : slopes_) k.resize(problem.count);
    fit_.resize(problem.samples);
    slope(state_, slopes_[0]);
  }

  // @returns false where that takes more than `steps` in all.
  bool advance(double time, int64_t steps, const Control& control) {
    Numbers next(state_.size());
    while (time_ < time) {
      control.poll();
      if (++steps_ > steps) return false;
      const bool last = time_ + step_ >= time;
      const double h = last ? time - time_ : step_;
      const double ratio = move(h, next);
      if (ratio <= 1) {
        time_ = last ? time : time_ + h;
        state_.swap(next);
        slopes_[0].swap(slopes_[6]);
      }
      // A step that was cut short says nothing of how long the next may be.
      const double proposed = h * step_factor(ratio);
      step_ = last && ratio <= 1 ? std::max(step_, proposed) : proposed;
    }
    return true;
  }

  // Of the samples left out: the sum of squared errors.
  double error_left_out() {
    predict(state_);
    double sum = 0;
    for (int64_t i = 0; i < problem_.samples; ++i)
      if (!kept_[i]) sum += (problem_.y[i] - fit_[i]) * (problem_.y[i] - fit_[i]);
    return sum;
  }

  void result(CoordinateFlow& out) {
    predict(state_);
    out.theta = theta_;
    out.fit = fit_;
    out.time = time_;
    for (int64_t j = 0; j < problem_.count; ++j)
      out.roots.push_back(problem_.options.fixed ? roots_[j] : laws_[j].root(beta(state_[j], j)));
  }

 private:
  double beta(double phi, int64_t j) const {
    return problem_.options.fixed ? phi : roots_[j] * std::sinh(phi);
  }

  // θ and the fit.
  void predict(const Numbers& state) {
    for (int64_t j = 0; j < problem_.count; ++j) {
      const double b = beta(state[j], j);
      theta_[j] = problem_.options.fixed ? roots_[j] * b : laws_[j].theta(b);
    }
    products_.apply(theta_, fit_);
  }

  void slope(const Numbers& state, Numbers& out) {
    predict(state);
    const double scale = 1.0 / static_cast<double>(rows_);
    for (int64_t i = 0; i < problem_.samples; ++i)
      fit_[i] = kept_[i] ? (problem_.y[i] - fit_[i]) * scale : 0;
    products_.adjoint(fit_, out);
    for (int64_t j = 0; j < problem_.count; ++j)
      // b^D = root / a
      out[j] *= problem_.options.fixed ? roots_[j] : factor(state[j], j);
  }

  double factor(double phi, int64_t j) const {
    const double a = roots_[j] * std::cosh(phi);
    return a > 0 ? laws_[j].root(beta(phi, j)) / a : 0;
  }

  double move(double h, Numbers& next) {
    const auto count = static_cast<int64_t>(state_.size());
    for (int stage = 0; stage < 6; ++stage) {
      next = state_;
      for (int i = 0; i <= stage; ++i)
        for (int64_t j = 0; j < count; ++j)
          next[j] += h * dopri::kWeights[stage][i] * slopes_[i][j];
      slope(next, slopes_[stage + 1]);
    }
    double ratio = 0;
    for (int64_t j = 0; j < count; ++j) {
      double error = 0;
      for (int i = 0; i < 7; ++i) error += dopri::kError[i] * slopes_[i][j];
      const double part = std::abs(h * error) / (kTolerance * (1 + std::abs(next[j])));
      if (!std::isfinite(part)) return 1e10;
      ratio = std::max(ratio, part);
    }
    return ratio;
  }

  const CoordinateProblem& problem_;
  const Products& products_;
  Numbers state_, theta_, fit_, roots_;
  Numbers slopes_[7];
  std::vector<FlowLaw> laws_;
  std::vector<char> kept_;
  int64_t rows_ = 0, steps_ = 0;
  double time_ = 0, step_ = 1e-3;
};

}  // namespace

CoordinateFlow coordinate_flow(const CoordinateProblem& problem, const std::vector<double>& times,
                               const std::vector<int>& fold, int folds, const Control& control) {
  for (const double value : problem.functions)
    if (!std::isfinite(value)) throw Error("BAD_INPUT", "Expected finite functions");
  const Products products(problem);
  CoordinateFlow out;
  double until = times.back();
  if (folds > 0) {
    std::vector<Numbers> errors(folds);
    // A device serves one after another.
    parallel_for(folds, products.on_device() ? folds : 1, [&](int64_t first, int64_t last) {
      for (int64_t k = first; k < last; ++k) {
        Samples samples(problem, products, fold, static_cast<int>(k));
        double least = samples.error_left_out();
        for (const double time : times) {
          if (!samples.advance(time, kFoldSteps, control)) break;
          errors[k].push_back(samples.error_left_out());
          least = std::min(least, errors[k].back());
          if (errors[k].back() > 2 * least) break;
        }
        errors[k].resize(times.size(), std::numeric_limits<double>::infinity());
      }
    });
    out.errors.resize(times.size());
    for (const Numbers& own : errors)
      for (size_t t = 0; t < times.size(); ++t)
        out.errors[t] += own[t] / static_cast<double>(problem.samples);
    const auto best = std::min_element(out.errors.begin(), out.errors.end());
    until = times[best - out.errors.begin()];
  }
  Samples samples(problem, products, fold, -1);
  if (!samples.advance(until, kMaxSteps, control))
    throw Error("NUMERICAL", "The gradient flow needs more than " + std::to_string(kMaxSteps) +
                                 " steps for this time: stop it earlier, or leave out functions "
                                 "whose values are far from 1");
  samples.result(out);
  return out;
}

}  // namespace at::fit
