#include "fit/adaptive.h"

#include <algorithm>
#include <cfloat>
#include <chrono>
#include <cmath>
#include <string>

#include "core/buffer.h"
#include "core/error.h"
#include "core/lapack.h"
#include "core/parallel.h"
#include "device/open.h"
#include "fit/adapted_operator.h"
#include "fit/interpolation.h"
#include "fit/problem.h"

namespace at::fit {

namespace {

// A jump must gain at least this share of what the plain step promises: so the alternation's
// guarantee of reaching a stationary point stays.
constexpr double kSufficient = 0.1;
// Share of the last promise by which the bound that a plain step minimises may be loose.
constexpr double kLooseness = 0.1;
// How often a step may be doubled along the plain direction.
constexpr int kMaxDoublings = 8;
// Iterations without any decrease before the fit is called stalled.
constexpr int64_t kMaxFlatSteps = 5;
constexpr double kRounding = 1e-15;
// How far rounding may have driven a carried objective from that of B, as a share of it.
constexpr double kDrift = 1e-7;
using Clock = std::chrono::steady_clock;

std::vector<bool> frozen(const std::vector<BlockRule>& rules) {
  std::vector<bool> out;
  for (const auto& rule : rules) out.push_back(!rule.adaptive());
  return out;
}

std::shared_ptr<SharedBuilder> builder_for(const FeatureSet& features,
                                           const std::vector<BlockRule>& rules,
                                           const AdaptiveOptions& options) {
  const size_t budget = cache_budget(features, rules, options);
  const std::shared_ptr<SharedBuilder>& other = options.builder;
  if (other && other->features == features && other->frozen == frozen(rules) &&
      other->budget == budget && other->device == options.device)
    return other;
  auto made = std::make_shared<SharedBuilder>(features, frozen(rules), budget);
  made->device = options.device;
  if (auto stream = device::open_stream(options.device, options.memory))
    made->solver = std::make_shared<DeviceSolver>(std::move(stream), features, frozen(rules));
  return made;
}

}  // namespace

AdaptiveFit::AdaptiveFit(FeatureSet features, std::vector<BlockRule> rules,
                         std::vector<double> residual, const AdaptiveOptions& options)
    : features_((check_problem(features, rules, residual, options), std::move(features))),
      rules_(std::move(rules)),
      targets_(residual),
      residual_(std::move(residual)),
      options_(options),
      rows_(features_[0]->rows()),
      builder_(builder_for(features_, rules_, options)),
      device_(builder_->solver.get()),
      kernel_(options.products || device_ ? 8 : static_cast<size_t>(rows_ * rows_) * 8) {
  for (const auto& rule : rules_) {
    largest_first_.push_back(static_cast<int64_t>(offsets_.size()));
    offsets_.push_back(size_);
    size_ += rule.size();
    shaped_.emplace_back();
    shaped_.back().transform = rule.identity();
  }
  std::stable_sort(largest_first_.begin(), largest_first_.end(),
                   [&](int64_t a, int64_t b) { return rules_[a].size() > rules_[b].size(); });
  anderson_ = std::make_unique<linear::Anderson>(size_ + rows_, size_, options.depth);
}

void AdaptiveFit::warm_start(const std::vector<double>& b) {
  if (started_) throw Error("BAD_ARGUMENT", "A warm start comes before the first iteration");
  if (static_cast<int64_t>(b.size()) != size_)
    throw Error("BAD_ARGUMENT", "Expected " + std::to_string(size_) +
                                    " numbers for the warm start but received " +
                                    std::to_string(b.size()));
  std::vector<double> own(b);
  for (double& x : own) x /= unit_;
  for (size_t i = 0; i < rules_.size(); ++i)
    shaped_[i] = shape(rules_[i], own.data() + offsets_[i], shaped_[i].transform, Accuracy::enough,
                       stream());
}

void AdaptiveFit::add_fit(const double* b, double* fit) const {
  if (device_) return device_->apply(b, fit);
  for (size_t i = 0; i < rules_.size(); ++i) features_[i]->apply(b + offsets_[i], fit);
}

void AdaptiveFit::adjoint(int64_t block, const std::vector<double>& alpha, double* out) const {
  if (device_) return device_->adjoint(static_cast<size_t>(block), alpha, out);
  features_[block]->adjoint(alpha.data(), out);
}

double AdaptiveFit::misfit_of(const std::vector<double>& x) const {
  double total = 0;
  for (int64_t r = 0; r < rows_; ++r) {
    const double miss = residual_[r] - x[size_ + r];
    total += miss * miss;
  }
  return total;
}

void AdaptiveFit::evaluate(Point& point) const {
  point.shaped.resize(rules_.size());
  each_block([&](int64_t i) {
    point.shaped[i] = shape(rules_[i], point.x.data() + offsets_[i], shaped_[i].transform,
                            Accuracy::enough, stream());
  });
  point.penalty = 0;
  for (const auto& s : point.shaped) point.penalty += s.penalty;
  point.misfit = misfit_of(point.x);
  point.objective = point.penalty;
  if (options_.ridge > 0) point.objective += point.misfit / options_.ridge;
}

void AdaptiveFit::solve(const Control& control, Point& point) {
  // Directions that are hardly stretched cost as much as the others: left out, the plain step
  // minimises an upper bound that is loose by a small share of what it promises.
  const double promise = last_.objective * last_.stationarity * last_.stationarity;
  loose_ = started_ ? kLooseness * promise : 0;
  used_ = without_least(shaped_, loose_);
  point.x.resize(size_ + rows_);
  double* fit = point.x.data() + size_;
  if (options_.products) {
    const auto start = Clock::now();
    auto found = solve_by_products(AdaptedOperator(features_, used_), options_.ridge, residual_,
                                   alpha_, options_.sketch, control);
    alpha_ = std::move(found.value);
    last_.condition = found.statistics.condition;
    last_.kernel_seconds = last_.kernel_flops = 0;
    last_.solve_seconds = std::chrono::duration<double>(Clock::now() - start).count();
    std::fill_n(fit, rows_, 0.0);
  } else if (!by_kernel(control, fit)) {
    status_ = Status::singular;
    return;
  }
  each_block([&](int64_t i) {
    control.poll();
    double* block = point.x.data() + offsets_[i];
    adjoint(i, alpha_, block);
    used_[i].apply(2, block);
  });
  if (!options_.products) return;
  // The fit of this very B, exactly, however well the equations were solved.
  add_fit(point.x.data(), fit);
}

void AdaptiveFit::check_diagonal(int64_t row, double value) const {
  if (std::isfinite(value)) return;
  throw Error("BAD_INPUT",
              "Expected finite features but those of row " + std::to_string(row) + " are not");
}

bool AdaptiveFit::by_kernel_on_device(const Control& control, double* fit) {
  const auto start = Clock::now();
  const std::vector<double> diagonal = device_->build(used_, control);
  const auto built = Clock::now();
  for (int64_t r = 0; r < rows_; ++r) check_diagonal(r, diagonal[r]);
  const auto factor = device_->factor(options_.ridge);
  const double rounding = std::max<double>(100, static_cast<double>(rows_)) * DBL_EPSILON;
  const bool good = factor->status() == linear::Status::solved;
  if (options_.ridge == 0 && !(good && factor->reciprocal_condition() > rounding))
    throw Error("UNSUPPORTED",
                "Exact interpolation (ridge 0) of rows that depend on each other, or nearly, has "
                "no code for devices; give a ridge above 0, or device: 'cpu'");
  if (!good) return false;
  last_.condition = factor->statistics().condition;
  alpha_ = factor->solve(residual_, 1, control).value;
  const std::vector<double> image = factor->product(alpha_, 1);
  std::copy(image.begin(), image.end(), fit);
  last_.kernel_flops = device_->flops();
  last_.kernel_seconds = std::chrono::duration<double>(built - start).count();
  last_.solve_seconds = std::chrono::duration<double>(Clock::now() - built).count();
  return true;
}

bool AdaptiveFit::by_kernel(const Control& control, double* fit) {
  if (device_) return by_kernel_on_device(control, fit);
  double* k = static_cast<double*>(kernel_.data());
  const auto start = Clock::now();
  builder_->builder.build(used_, k, control);
  const auto built = Clock::now();
  for (int64_t r = 0; r < rows_; ++r) check_diagonal(r, k[r * rows_ + r]);
  RowSolver solver(rows_, k, options_.ridge, residual_, &kept_, control);
  if (!solver.ok()) return false;
  redundant_ = kept_.empty() ? 0 : rows_ - static_cast<int64_t>(kept_.size());
  last_.condition = solver.condition();
  alpha_.resize(rows_);
  solver.solve(residual_, alpha_.data(), fit);
  last_.kernel_flops = builder_->builder.flops();
  last_.kernel_seconds = std::chrono::duration<double>(built - start).count();
  last_.solve_seconds = std::chrono::duration<double>(Clock::now() - built).count();
  return true;
}

double AdaptiveFit::promised(const Point& plain) {
  // Q(B) − Q(G) of the quadratic that the plain step minimises, at its minimum G: ‖M⁻¹(G − B)‖²
  // and what the fits differ by.
  const auto blocks = static_cast<int64_t>(rules_.size());
  step_.resize(size_);
  std::vector<double> parts(blocks);
  parallel_for(blocks, 1, [&](int64_t first, int64_t last) {
    for (int64_t i = first; i < last; ++i) {
      const int64_t begin = offsets_[i], end = begin + rules_[i].size();
      for (int64_t j = begin; j < end; ++j) step_[j] = plain.x[j] - x_[j];
      parts[i] = used_[i].squared_norm_undone(step_.data() + begin);
    }
  });
  double total = 0;
  for (double part : parts) total += part;
  if (options_.ridge > 0) {
    for (int64_t r = size_; r < size_ + rows_; ++r) {
      const double d = plain.x[r] - x_[r];
      total += d * d / options_.ridge;
    }
  }
  return total;
}

// From next_, the plain step, to the point that the iteration takes.
void AdaptiveFit::choose() {
  const double promise = promised(next_);
  last_.stationarity = last_.objective > 0 ? std::sqrt(promise / last_.objective) : 0;

  trial_.x.resize(size_ + rows_);
  if (anderson_->extrapolate(x_.data(), next_.x.data(), trial_.x.data())) {
    evaluate(trial_);
    if (trial_.objective <= last_.objective - kSufficient * promise) {
      last_.step = Step::anderson;
      return std::swap(next_, trial_);
    }
  }
  evaluate(next_);
  last_.step = Step::plain;
  if (options_.depth == 0) return;
  // The extrapolation points uphill where it heads for a saddle; going further along the plain
  // step leaves such places faster.
  for (int i = 0; i < kMaxDoublings; ++i) {
    for (int64_t j = 0; j < size_ + rows_; ++j) trial_.x[j] = x_[j] + 2 * (next_.x[j] - x_[j]);
    evaluate(trial_);
    if (!(trial_.objective < next_.objective)) break;
    std::swap(next_, trial_);
    last_.step = Step::extended;
  }
}

const Iteration& AdaptiveFit::iterate(const Control& control) {
  if (status_ != Status::running) return last_;
  remember_rules();
  const Iteration before = last_;
  const std::vector<double> alpha = alpha_;
  try {
    solve(control, next_);
    if (status_ != Status::running) return last_;
  } catch (...) {
    last_ = before;
    alpha_ = alpha;
    throw;
  }
  try {
    if (!started_) {
      evaluate(next_);
      last_.step = Step::plain;
      last_.stationarity = 1;
    } else {
      choose();
    }
    // Rounding may lift the objective by its last bits: then stay.
    const bool lower = !started_ || next_.objective < last_.objective;
    const double gain = started_ ? last_.objective - next_.objective : 0;
    last_.decrease = started_ && last_.objective > 0 ? std::max(gain / last_.objective, 0.0) : 0;
    if (lower) {
      std::swap(x_, next_.x);
      std::swap(shaped_, next_.shaped);
      last_.objective = next_.objective;
      last_.penalty = next_.penalty;
      last_.misfit = next_.misfit;
    }
    ++last_.number;
  } catch (...) {
    // As if it had not been called; only the history may have seen this step already.
    last_ = before;
    alpha_ = alpha;
    anderson_->forget();
    throw;
  }
  settle();
  return last_;
}

// Extrapolation carries the fit along with B; over hundreds of steps rounding drives them apart,
// and an objective that is too low by that would hide every further step.
void AdaptiveFit::refresh() {
  std::vector<double> x = x_;
  std::fill(x.begin() + size_, x.end(), 0.0);
  add_fit(x.data(), x.data() + size_);
  const double misfit = misfit_of(x);
  const double objective = last_.penalty + (options_.ridge > 0 ? misfit / options_.ridge : 0);
  // More than that is the kernel's condition, which no other step repairs.
  if (!(std::abs(objective - last_.objective) <= kDrift * last_.objective)) return;
  x_ = std::move(x);
  last_.misfit = misfit;
  last_.objective = objective;
  anderson_->forget();
}

void AdaptiveFit::settle() {
  bool adaptive = false;
  for (const auto& rule : rules_) adaptive = adaptive || rule.adaptive();
  if (!adaptive || last_.objective == 0) {
    last_.stationarity = 0;
    status_ = Status::converged;
  } else if (started_) {
    flat_steps_ = last_.decrease <= kRounding ? flat_steps_ + 1 : 0;
    if (flat_steps_ == 1) refresh();
    // What was left out of the last kernel must not hide what is still to be gained.
    const double least = options_.stationarity * options_.stationarity * last_.objective;
    if (last_.decrease <= options_.tolerance && last_.stationarity <= options_.stationarity &&
        loose_ <= least)
      status_ = Status::converged;
    else if (flat_steps_ >= kMaxFlatSteps)
      status_ = Status::stalled;
  }
  started_ = true;
}

}  // namespace at::fit
