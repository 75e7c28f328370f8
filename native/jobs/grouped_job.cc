#include "jobs/grouped_job.h"

#include <algorithm>

#include "core/error.h"
#include "core/parallel.h"
#include "core/shape.h"
#include "jobs/collect.h"
#include "jobs/device_collect.h"
#include "jobs/jobs.h"
#include "kernels/contract.h"
#include "reverse/pass.h"

namespace at {
inline namespace AT_PRECISION {

namespace {

// The numbers from `first` on, in the memory that holds them all.
std::shared_ptr<Real> from(const std::shared_ptr<Real>& all, int64_t first) {
  return all ? std::shared_ptr<Real>(all, all.get() + first) : all;
}

std::shared_ptr<const Picks> some(const Picks& all, int64_t first, int64_t samples, int64_t count) {
  const auto at = all.starts.begin() + first;
  const int64_t begin = *at, end = *(at + samples);
  auto part = std::make_shared<Picks>();
  part->rows = all.rows;
  part->delta = from(all.delta, begin * count * all.rows);
  part->columns.assign(all.columns.begin() + begin, all.columns.begin() + end);
  for (int64_t i = 0; i <= samples; ++i) part->starts.push_back(*(at + i) - begin);
  return part;
}

// Samples [first, first + samples) of a block, as samples of their own.
Block some(const Block& all, int64_t first, int64_t samples) {
  Block part;
  part.samples = samples;
  part.count = all.count;
  for (Unit unit : all.units) {
    unit.x = from(unit.x, first * all.count * unit.size);
    unit.delta = from(unit.delta, first * unit.positions * all.count * unit.rows);
    unit.h = from(unit.h, first * unit.positions * unit.cols);
    if (unit.picks) unit.picks = some(*unit.picks, first, samples, all.count);
    part.units.push_back(std::move(unit));
  }
  if (all.on_device) part.on_device = kernels::some(*all.on_device, all.count, first);
  return part;
}

}  // namespace

GroupedJob::GroupedJob(const Tape& tape, JobSettings settings, KernelTask task,
                       std::vector<Real*> results)
    : Job(tape, std::move(settings)),
      task_(std::move(task)),
      results_(std::move(results)),
      uses_(parameter_uses(tape)) {
  at_once_ = task_.outputs;
  if (outputs_at_once() == task_.outputs)
    together_ = std::min(groups(), samples_per_block(task_.outputs) / task_.samples1);
  if (together_ > 0) {
    settings_.control.expect(groups() * task_.pairs());
  } else {
    begin_apart();
  }
}

std::vector<Real*> GroupedJob::results_of(int64_t group) const {
  const int64_t numbers = task_.samples1 * task_.samples1 * task_.numbers_of_pair();
  std::vector<Real*> own;
  for (Real* result : results_) own.push_back(result + group * numbers);
  return own;
}

// What a group's job does is expected as it begins.
void GroupedJob::begin_apart() {
  JobSettings settings = settings_;
  settings.samples = task_.samples1;
  own_ = std::make_unique<KernelJob>(tape_, std::move(settings), task_, results_of(done_),
                                     std::nullopt);
}

std::optional<Want> GroupedJob::next() {
  const int64_t n = task_.samples1;
  if (done_ >= groups()) return std::nullopt;
  if (!own_) return Want{0, done_ * n, std::min(together_, groups() - done_) * n};
  auto want = own_->next();
  if (want) want->first += done_ * n;
  return want;
}

std::vector<std::string> GroupedJob::methods() const {
  std::vector<std::string> names = names_;
  for (Method method : methods_) names.push_back(kernels::name_of(method));
  return names;
}

void GroupedJob::compute(const Frame& frame) {
  if (own_) {
    own_->feed(frame);
    apart_peak_ = std::max(apart_peak_, own_->peak_bytes());
    if (own_->next()) return;
    names_ = own_->methods();
    own_.reset();
    if (++done_ < groups()) begin_apart();
    return;
  }
  const Want want = *next();
  if (frame.samples != want.count) throw Error("BAD_ARGUMENT", "Another block was asked for");
  const int64_t n = task_.samples1, count = task_.outputs, all = want.count / n;
  const Block block = collect(frame, count);
  const auto contract = [&](int64_t first, int64_t last) {
    for (int64_t g = first; g < last; ++g) {
      const Block own = some(block, g * n, n);
      kernels::contract(task_, own, own, true, results_of(done_ + g), pool_, settings_.control);
    }
  };
  // A stream is of one thread at a time.
  if (settings_.stream) {
    contract(0, all);
  } else {
    parallel_for(all, 1, contract);
  }
  done_ += all;
  settings_.control.advance(all * task_.pairs());
}

Block GroupedJob::collect(const Frame& frame, int64_t count) {
  auto seed = unit_seed(tape_, frame, settings_.outputs, pool_);
  if (settings_.stream) {
    DeviceCollector collector(task_, parameter_sizes(frame), uses_, pool_, settings_.stream);
    pass_on_device(frame, count, std::move(seed), collector);
    return collector.finish(0, frame.samples, count, methods_);
  }
  BlockCollector collector(task_, parameter_sizes(frame), uses_, pool_);
  reverse_pass(tape_, frame, count, std::move(seed), pool_, settings_.control, collector);
  return collector.finish(0, frame.samples, count, methods_);
}

bool GroupedJob::shrink(int64_t) {
  if (own_) return false;
  together_ /= 2;
  if (together_ > 0) return true;
  settings_.control.expect(-(groups() - done_) * task_.pairs());
  begin_apart();
  return true;
}

namespace {

const JobKind grouped("grouped", [](JobRequest& request) -> std::unique_ptr<Job> {
  const int64_t size = request.options.integer("size");
  if (size < 1 || request.settings.samples % size != 0)
    throw Error("BAD_ARGUMENT", "Groups of one size were expected");
  KernelTask task = task_of(request);
  task.symmetric = true;
  task.samples1 = task.samples2 = size;
  const int64_t numbers =
      checked_mul(checked_mul(request.settings.samples, size), task.numbers_of_pair());
  return std::make_unique<GroupedJob>(request.tape, std::move(request.settings), std::move(task),
                                      results_of(request, task, numbers));
});

}  // namespace

}  // namespace AT_PRECISION
}  // namespace at
