#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/control.h"
#include "core/parallel.h"
#include "fit/device_solver.h"
#include "fit/kernel_builder.h"
#include "fit/structure.h"
#include "linear/anderson.h"

namespace at::fit {

enum class Status { running, converged, stalled, singular };
// How the iterate of an iteration was found: by the plain alternation, by Anderson extrapolation,
// or by going further along the plain step.
enum class Step { plain, anderson, extended };

// What a fit builds its kernels with. Fits of the same features, one after another, share what it
// keeps of them: it gives the same bits whoever asked before.
struct SharedBuilder {
  SharedBuilder(FeatureSet of, std::vector<bool> fixed, size_t cache_budget)
      : features(of),
        frozen(fixed),
        budget(cache_budget),
        builder(std::move(of), std::move(fixed), cache_budget) {}
  FeatureSet features;
  std::vector<bool> frozen;
  size_t budget;
  std::string device = "cpu";
  KernelBuilder builder;
  std::shared_ptr<DeviceSolver> solver;  // where the device is none but the processor: null
};

struct AdaptiveOptions {
  double ridge = 0;            // 0: exact interpolation
  double tolerance = 1e-11;    // on the relative decrease of the objective
  double stationarity = 1e-6;  // on sqrt(decrease that a plain step promises / objective)
  int depth = 8;               // of the extrapolation; 0: plain alternation
  bool products = false;       // conjugate gradients on products instead of a stored kernel
  std::string device = "cpu";  // where the large operations are done, as open_stream() takes it
  // That of another fit, taken where one of this fit's own would be the same.
  std::shared_ptr<SharedBuilder> builder = nullptr;
  // For products: standard normal numbers (rows, rank) of the preconditioner.
  std::vector<double> sketch = {};
  size_t memory = SIZE_MAX;  // bytes for kernels, caches and history together
};

struct Iteration {
  int64_t number = 0;
  double objective = 0;
  double penalty = 0;
  double misfit = 0;        // ‖r − fit‖²
  double decrease = 0;      // relative, since the iteration before
  double stationarity = 0;  // of the point that the iteration set out from
  double condition = 0;     // of the kernel that was factored, a lower estimate
  Step step = Step::plain;
  double kernel_seconds = 0;  // building K_M
  double solve_seconds = 0;   // factoring it and solving
  double kernel_flops = 0;    // of its products
};

// The adaptive model of METHOD.md section 3 for targets r (rows): the problem in B,
//   min Σ_blocks Ω̃(B_b) + ‖r − Σ_b ⟨X, B_b⟩‖² / ridge
// (with ridge 0 under the constraint that the fit is r), by alternation of two exact steps:
// the kernel solve for given transformations, and the transformations for given B.
class AdaptiveFit {
 public:
  // Throws Error("BAD_ARGUMENT") for wrong sizes or numbers, Error("MEMORY_BUDGET") when the kernel
  // does not fit.
  AdaptiveFit(FeatureSet features, std::vector<BlockRule> rules, std::vector<double> residual,
              const AdaptiveOptions& options);

  // Multiplies Ω by a price, given as such or in units of σ₁² of the fixed solution at the
  // reference ridge 0.01·tr K/rows (METHOD.md section 7). Comes first; without it the price is 1.
  //
  // ω̃_c(v) = min_z c·ω(z) + v²/z² = c·ω̃(v/√c): targets over √c give B over √c at price 1. So all
  // numbers inside are in this unit √c, whatever the units of targets and features, and those that
  // are asked for are multiplied by it.
  void set_price(double price, bool relative, const Control& control = {});
  double unit() const { return unit_; }
  // Starts from the transformations that belong to these B (one (m, k) per block, one after
  // another) instead of from the identity.
  void warm_start(const std::vector<double>& b);
  // One kernel solve and what follows from it. Throws Cancelled between two consistent states,
  // Error("NUMERICAL") when ridge 0 asks for the impossible.
  const Iteration& iterate(const Control& control = {});

  Status status() const { return status_; }
  // In the targets' own units.
  Iteration last() const;
  // B of all blocks (empty before the first iteration), and what it says of the targets.
  std::vector<double> solution() const;
  std::vector<double> fit() const;
  std::vector<double> dual() const { return scaled(alpha_.begin(), alpha_.end()); }
  const std::vector<BlockRule>& rules() const { return rules_; }
  // B, its spectrum and M of one block, to full accuracy; of a fixed block only the penalty.
  std::vector<double> solution(size_t block) const;
  Shaped described(size_t block) const;
  const std::shared_ptr<SharedBuilder>& builder() const { return builder_; }
  // Rows that are redundant at ridge 0 (duplicated samples with the same target).
  int64_t redundant() const { return redundant_; }

  // Everything a later process needs to continue with the same bits.
  std::vector<double> save() const;
  // Throws Error("BAD_FILE") for a state of other features, targets, ridge or rules.
  void restore(const std::vector<double>& state);

 private:
  struct Point {
    std::vector<double> x;  // B of all blocks (size_), then the fit (rows_)
    std::vector<Shaped> shaped;
    double penalty = 0, misfit = 0, objective = 0;
  };
  // fit (rows) += what B of all blocks says of the targets.
  void add_fit(const double* b, double* fit) const;
  // Σ_r α_r X_r of one block.
  void adjoint(int64_t block, const std::vector<double>& alpha, double* out) const;
  std::vector<double> scaled(std::vector<double>::const_iterator first,
                             std::vector<double>::const_iterator last) const;
  double fixed_scale(const Control& control);
  // α of the fixed model for targets r at the reference ridge; empty where the kernel is zero.
  std::vector<double> fixed_dual(const std::vector<double>& r, const Control& control);
  void set_unit(double unit);
  double misfit_of(const std::vector<double>& x) const;
  void evaluate(Point& point) const;
  void solve(const Control& control, Point& point);
  bool by_kernel(const Control& control, double* fit);
  bool by_kernel_on_device(const Control& control, double* fit);
  void check_diagonal(int64_t row, double value) const;
  device::Stream* stream() const { return device_ ? &device_->stream() : nullptr; }
  // work(block) for all of them: over the threads, or one after another where each uses the device.
  template <class Work>
  void each_block(const Work& work) const;
  double promised(const Point& plain);
  void choose();
  void refresh();
  void settle();
  void remember_rules();
  void check_agreement(const std::vector<double>& b, const std::vector<double>& fit) const;

  FeatureSet features_;
  std::vector<BlockRule> rules_;
  std::vector<double> targets_;   // as they came
  std::vector<double> residual_;  // over unit_
  double unit_ = 1;
  AdaptiveOptions options_;
  std::vector<int64_t> offsets_;
  std::vector<int64_t> largest_first_;  // the blocks
  int64_t size_ = 0, rows_ = 0, redundant_ = 0;
  std::shared_ptr<SharedBuilder> builder_;
  DeviceSolver* device_;  // null: the processor
  std::unique_ptr<linear::Anderson> anderson_;
  Memory kernel_;
  std::vector<int64_t> kept_;  // rows that are solved for, when some are redundant

  std::vector<double> x_, alpha_;  // x_ as in Point, empty before the first iteration
  std::vector<Shaped> shaped_;
  std::vector<double> signature_;  // of the rules; from the first iteration on
  Point next_, trial_;             // where an iteration leads; kept for their memory
  std::vector<double> step_;
  std::vector<Transform> used_;  // what the last kernel was built with
  double loose_ = 0;             // what leaving directions out of it may cost
  bool started_ = false;
  int64_t flat_steps_ = 0;
  Status status_ = Status::running;
  Iteration last_;
};

template <class Work>
void AdaptiveFit::each_block(const Work& work) const {
  const auto blocks = static_cast<int64_t>(rules_.size());
  if (device_) {
    for (int64_t i = 0; i < blocks; ++i) work(i);
    return;
  }
  // Whichever thread is free takes the largest that is left.
  std::atomic<int64_t> next{0};
  parallel_for(blocks, 1, [&](int64_t first, int64_t last) {
    for (int64_t i = first; i < last; ++i) work(largest_first_[next++]);
  });
}

}  // namespace at::fit
