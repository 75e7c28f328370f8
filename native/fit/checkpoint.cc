#include <algorithm>
#include <cmath>
#include <string>

#include "core/error.h"
#include "fit/adaptive.h"

// A fit's state as a flat array of doubles: counts, then contents.
namespace at::fit {

namespace {

constexpr double kVersion = 5;
// Between a state's fit and what the features at hand make of its B.
constexpr double kAgreement = 1e-3;
// Between the units of the same fit on two machines.
constexpr double kSamePrice = 1e-8;

class Writer {
 public:
  void number(double x) { out.push_back(x); }
  void list(const std::vector<double>& x) {
    number(static_cast<double>(x.size()));
    out.insert(out.end(), x.begin(), x.end());
  }
  std::vector<double> out;
};

class Reader {
 public:
  explicit Reader(const std::vector<double>& state) : state_(state) {}
  double number() {
    if (at_ >= state_.size()) fail();
    return state_[at_++];
  }
  int64_t count() {
    const double n = number();
    if (!(n >= 0 && n <= static_cast<double>(state_.size())) || n != std::floor(n)) fail();
    return static_cast<int64_t>(n);
  }
  std::vector<double> list() {
    const auto n = static_cast<size_t>(count());
    if (n > state_.size() - at_) fail();
    const auto first = state_.begin() + static_cast<std::ptrdiff_t>(at_);
    at_ += n;
    return {first, first + static_cast<std::ptrdiff_t>(n)};
  }
  std::vector<double> list(size_t expected) {
    auto x = list();
    if (x.size() != expected) fail();
    return x;
  }
  bool finished() const { return at_ == state_.size(); }
  [[noreturn]] static void fail() {
    throw Error("BAD_FILE", "The checkpoint is damaged or belongs to a fit of other features");
  }

 private:
  const std::vector<double>& state_;
  size_t at_ = 0;
};

void write(Writer& to, const Shaped& shaped) {
  to.number(shaped.penalty);
  to.list(shaped.singular);
  to.list(shaped.u);
  to.list(shaped.vt);
  to.list(shaped.stretches);
  to.list(shaped.savings);
  to.list(shaped.transform.numbers);
  for (const Stretch& mode : shaped.transform.modes) {
    to.list(mode.z);
    to.list(mode.vectors);
  }
}

Shaped read(Reader& from, const BlockRule& rule) {
  Shaped shaped;
  shaped.penalty = from.number();
  shaped.singular = from.list();
  shaped.u = from.list();
  shaped.vt = from.list();
  shaped.stretches = from.list();
  shaped.savings = from.list();
  shaped.transform = rule.identity();
  shaped.transform.numbers = from.list();
  if (rule.structure == Structure::diagonal) {
    // A diagonal M has no modes, except for the identity that a fit starts from.
    if (!shaped.transform.numbers.empty()) {
      if (static_cast<int64_t>(shaped.transform.numbers.size()) != rule.size()) Reader::fail();
      shaped.transform.modes.clear();
      return shaped;
    }
  } else if (!shaped.transform.numbers.empty()) {
    Reader::fail();
  }
  for (Stretch& mode : shaped.transform.modes) {
    mode.z = from.list();
    mode.vectors = from.list(mode.z.size() * static_cast<size_t>(mode.dim));
  }
  return shaped;
}

// What tells rules apart: structures, modes and, whatever functions they are, the penalties'
// values.
std::vector<double> signature(const std::vector<BlockRule>& rules) {
  const std::vector<double> v = {0.3, 1, 2, 8};
  std::vector<double> out;
  for (const BlockRule& rule : rules) {
    out.push_back(static_cast<double>(rule.structure));
    out.insert(out.end(), rule.dims.begin(), rule.dims.end());
    out.insert(out.end(), rule.sides.begin(), rule.sides.end());
    for (const auto& penalty : rule.penalties) {
      std::vector<double> value(v.size()), z(v.size() * static_cast<size_t>(penalty->sides()));
      penalty->evaluate(v.data(), static_cast<int64_t>(v.size()), value.data(), z.data());
      out.insert(out.end(), value.begin(), value.end());
      out.insert(out.end(), z.begin(), z.end());
    }
  }
  return out;
}

bool alike(const std::vector<double>& a, const std::vector<double>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](double x, double y) { return std::abs(x - y) <= kAgreement * std::abs(y); });
}

}  // namespace

void AdaptiveFit::remember_rules() {
  if (signature_.empty()) signature_ = signature(rules_);
}

std::vector<double> AdaptiveFit::save() const {
  Writer to;
  to.number(kVersion);
  to.number(static_cast<double>(rows_));
  to.number(static_cast<double>(size_));
  to.number(options_.ridge);
  to.list(targets_);
  to.number(unit_);
  to.list(signature_);
  to.number(static_cast<double>(status_));
  to.number(started_);
  to.number(static_cast<double>(flat_steps_));
  to.number(static_cast<double>(last_.number));
  for (double x : {last_.objective, last_.penalty, last_.misfit, last_.decrease, last_.stationarity,
                   last_.condition, static_cast<double>(last_.step)})
    to.number(x);
  to.list({kept_.begin(), kept_.end()});
  to.list({x_.begin(), x_.empty() ? x_.begin() : x_.begin() + size_});
  to.list({x_.empty() ? x_.begin() : x_.begin() + size_, x_.end()});
  to.list(alpha_);
  for (const Shaped& shaped : shaped_) write(to, shaped);
  to.list(anderson_->save());
  return to.out;
}

void AdaptiveFit::restore(const std::vector<double>& state) {
  Reader from(state);
  if (from.number() != kVersion || from.number() != static_cast<double>(rows_) ||
      from.number() != static_cast<double>(size_))
    Reader::fail();
  if (from.number() != options_.ridge)
    throw Error("BAD_FILE", "The checkpoint belongs to a fit with another ridge");
  if (from.list(static_cast<size_t>(rows_)) != targets_)
    throw Error("BAD_FILE", "The checkpoint belongs to a fit of other targets");
  const double unit = from.number();
  if (!(unit > 0)) Reader::fail();
  remember_rules();
  const std::vector<double> signed_by = from.list();
  const int64_t status = from.count();
  if (status > static_cast<int64_t>(Status::singular)) Reader::fail();
  const bool started = from.number() != 0;
  if (started && !alike(signed_by, signature_))
    throw Error("BAD_FILE", "The checkpoint belongs to a fit with other penalties or structures");
  const int64_t flat_steps = from.count();
  Iteration last;
  last.number = from.count();
  for (double* x : {&last.objective, &last.penalty, &last.misfit, &last.decrease,
                    &last.stationarity, &last.condition})
    *x = from.number();
  const int64_t step = from.count();
  if (step > static_cast<int64_t>(Step::extended)) Reader::fail();
  last.step = static_cast<Step>(step);
  std::vector<int64_t> kept;
  for (double r : from.list()) {
    if (!(r >= 0 && r < static_cast<double>(rows_))) Reader::fail();
    kept.push_back(static_cast<int64_t>(r));
  }
  auto b = from.list(), fit = from.list(), alpha = from.list();
  const auto expect = [&](const std::vector<double>& x, int64_t n) {
    if (static_cast<int64_t>(x.size()) != (started ? n : 0)) Reader::fail();
  };
  expect(b, size_);
  expect(fit, rows_);
  expect(alpha, rows_);
  std::vector<Shaped> shaped;
  for (const BlockRule& rule : rules_) shaped.push_back(read(from, rule));
  const std::vector<double> history = from.list();
  if (!from.finished()) Reader::fail();
  const double own = unit_;
  set_unit(unit);
  if (started) check_agreement(b, fit);
  if (!(std::abs(unit / own - 1) <= kSamePrice))
    throw Error("BAD_FILE", "The checkpoint belongs to a fit with another price");
  anderson_->restore(history);
  status_ = static_cast<Status>(status);
  started_ = started;
  flat_steps_ = flat_steps;
  last_ = last;
  kept_ = std::move(kept);
  redundant_ = kept_.empty() ? 0 : rows_ - static_cast<int64_t>(kept_.size());
  x_ = std::move(b);
  x_.insert(x_.end(), fit.begin(), fit.end());
  alpha_ = std::move(alpha);
  shaped_ = std::move(shaped);
}

// Throws where a state's B does not mean here what it meant where it was saved.
void AdaptiveFit::check_agreement(const std::vector<double>& b,
                                  const std::vector<double>& fit) const {
  std::vector<double> own(rows_);
  add_fit(b.data(), own.data());
  double scale = 0, miss = 0;
  for (int64_t r = 0; r < rows_; ++r) {
    scale = std::max({scale, std::abs(fit[r]), std::abs(residual_[r])});
    miss = std::max(miss, std::abs(fit[r] - own[r]));
  }
  if (!(miss <= kAgreement * scale))
    throw Error("BAD_FILE", "The checkpoint belongs to a fit of other features");
}

}  // namespace at::fit
