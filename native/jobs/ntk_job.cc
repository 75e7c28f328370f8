#include "jobs/ntk_job.h"

#include <algorithm>

#include "core/error.h"
#include "core/parallel.h"
#include "jobs/device_collect.h"
#include "kernels/contract.h"
#include "reverse/pass.h"

namespace at {
inline namespace AT_PRECISION {

NtkJob::NtkJob(const Tape& tape, JobSettings settings, const Pool& pool, KernelTask task,
               std::vector<Real*> results, std::optional<Path> path, std::vector<int64_t> other)
    : Job(tape, std::move(settings), pool),
      task_(std::move(task)),
      results_(std::move(results)),
      schedule_(task_.symmetric, task_.samples1, task_.samples2),
      uses_(parameter_uses(tape)),
      path_(std::move(path)),
      other_(std::move(other)) {
  at_once_ = task_.outputs;
  block_size_ = samples_per_block(task_.outputs);
  if (streams() && settings_.block <= 0 && task_.samples1 <= whole_block())
    block_size_ = std::max(block_size_, task_.samples1);
  if (path_) {
    const auto nodes = static_cast<int64_t>(path_->weights.size());
    // The factors of all nodes are kept until the block is done; patches of a window repeat each
    // value several times.
    const auto quarter =
        static_cast<int64_t>(std::min<size_t>(settings_.memory / 4, size_t{1} << 28));
    const int64_t bytes = 4 * nodes * (settings_.extent.all + 1) * (task_.outputs + 9);
    if (settings_.block <= 0) block_size_ = std::clamp<int64_t>(quarter / bytes, 1, block_size_);
  }
}

bool NtkJob::streams() const {
  return task_.symmetric && task_.type != KernelType::kDiagonal && !path_ && !settings_.stream;
}

int64_t NtkJob::whole_block() const {
  // What flows back through the widest node, with what was made of it, and the forward run.
  const int64_t bytes = 4 * 3 * task_.outputs * settings_.extent.widest + bytes_per_sample();
  return std::min(block_memory() / bytes, kRowsOfBlock / task_.outputs);
}

bool NtkJob::shrink(int64_t samples) {
  pool_.trim();
  return Job::shrink(samples);
}

std::optional<Want> NtkJob::next() {
  auto want = schedule_.next(block_size_);
  if (want && path_) {
    want->node = node_;
    if (path_->change) want->passes = Passes::kBoth;
  }
  return want;
}

std::vector<std::string> NtkJob::methods() const {
  std::vector<std::string> names;
  for (Method method : methods_) names.push_back(kernels::name_of(method));
  return names;
}

void NtkJob::compute(const Frame& frame) {
  const Want want = *next();
  if (frame.samples != want.count) throw Error("BAD_ARGUMENT", "Another block was asked for");
  if (streams() && want.count == task_.samples1) {
    compute_whole(frame);
    settings_.control.advance(2 * task_.pairs());
    schedule_.done(want.count, true);
    return;
  }
  try {
    const bool last = !path_ || node_ + 1 == static_cast<int>(path_->weights.size());
    Block block = collect(frame, want);
    if (!last) {
      ++node_;
      return;
    }
    use(std::move(block), want);
  } catch (...) {
    // The block begins again, at the first node.
    begin_along();
    throw;
  }
}

// One block holds all samples: features are used as they become known.
void NtkJob::compute_whole(const Frame& frame) {
  const auto count = static_cast<int64_t>(settings_.outputs.size());
  const int64_t size = frame.samples * task_.components();
  for (Real* result : results_) {
    parallel_for(size * size, 1 << 16, [&](int64_t first, int64_t last) {
      std::fill(result + first, result + last, Real(0.0));
    });
  }
  // Several at a time, so that every thread has work.
  const int64_t enough =
      static_cast<int64_t>(std::min<size_t>(settings_.memory / 16, size_t{1} << 26));
  Block part{0, frame.samples, count, {}, nullptr};
  const auto flush = [&] {
    kernels::accumulate(task_, part, results_, pool_, settings_.control);
    part.units.clear();
  };
  BlockCollector collector(task_, parameter_sizes(frame), uses_, pool_, [&](Unit unit) {
    part.units.push_back(std::move(unit));
    if (part.bytes() > enough) flush();
  });
  reverse_pass(tape_, frame, count, unit_seed(tape_, frame, settings_.outputs, pool_), pool_,
               settings_.control, collector);
  collector.finish(0, frame.samples, count, methods_);
  flush();
  for (Real* result : results_) kernels::mirror(result, size);
}

// The features of a block; empty until the last node of the path.
Block NtkJob::collect(const Frame& frame, const Want& want) {
  const auto count = static_cast<int64_t>(settings_.outputs.size());
  if (path_) return collect_along(frame, want);
  if (settings_.stream) {
    DeviceCollector collector(task_, parameter_sizes(frame), uses_, pool_, settings_.stream);
    pass_on_device(frame, count, unit_seed(tape_, frame, outputs_of(want), pool_), collector);
    return collector.finish(want.first, want.count, count, methods_);
  }
  BlockCollector collector(task_, parameter_sizes(frame), uses_, pool_);
  reverse_pass(tape_, frame, count, unit_seed(tape_, frame, outputs_of(want), pool_), pool_,
               settings_.control, collector);
  return collector.finish(want.first, want.count, count, methods_);
}

Block NtkJob::collect_along(const Frame& frame, const Want& want) {
  const auto count = static_cast<int64_t>(settings_.outputs.size());
  const auto nodes = static_cast<int>(path_->weights.size());
  const double weight = path_->weights[static_cast<size_t>(node_)];
  const std::vector<int64_t> sizes = parameter_sizes(frame);
  auto seed = unit_seed(tape_, frame, outputs_of(want), pool_);
  if (settings_.stream) {
    if (!there_)
      there_ = std::make_unique<DevicePathCollector>(task_, sizes, uses_, nodes, pool_,
                                                     settings_.stream);
    there_->weigh(weight);
    pass_on_device(frame, count, std::move(seed), *there_);
  } else {
    if (!collector_) {
      std::vector<int> uses = uses_;
      for (int& each : uses) each *= nodes;
      blocks_ = std::make_unique<BlockCollector>(task_, sizes, uses, pool_);
      collector_ = std::make_unique<PathCollector>(*blocks_, sizes, pool_);
    }
    collector_->weigh(weight);
    reverse_pass(tape_, frame, count, std::move(seed), pool_, settings_.control, *collector_);
  }
  if (path_->change && want.side == 0)
    change_.add(tape_, frame, *path_, static_cast<size_t>(node_), want.first, settings_, pool_);
  if (node_ + 1 < nodes) return {};
  if (collector_) collector_->finish(want.count, count);
  Block block = there_ ? there_->finish(want.first, want.count, count, methods_)
                       : blocks_->finish(want.first, want.count, count, methods_);
  begin_along();
  return block;
}

// The next block, at the first node.
void NtkJob::begin_along() {
  collector_.reset();
  blocks_.reset();
  there_.reset();
  node_ = 0;
}

void NtkJob::use(Block block, const Want& want) {
  settings_.control.advance(task_.pairs() * want.count /
                            (task_.samples1 + (task_.symmetric ? 0 : task_.samples2)));

  device::Pending* pending = settings_.pending.get();
  const bool storing = schedule_.storing();
  // Room for the pass of another block must remain in addition to the stored ones.
  const bool keep = storing && (stored_.empty() || stored_bytes_ + block.bytes() <= kept_budget());
  const bool meets = task_.symmetric || !storing;
  if (meets) {
    for (const Block& other : stored_) {
      // In a symmetric kernel the rows come after the columns; else X's samples are the rows.
      if (task_.symmetric) {
        kernels::contract(task_, block, other, false, results_, pool_, settings_.control, pending);
      } else {
        kernels::contract(task_, other, block, false, results_, pool_, settings_.control, pending);
      }
      settings_.control.advance(block.samples * other.samples);
    }
  }
  if (task_.symmetric && keep) {
    kernels::contract(task_, block, block, true, results_, pool_, settings_.control, pending);
    settings_.control.advance(block.samples * (block.samples + 1) / 2);
  }
  if (keep) {
    stored_bytes_ += block.bytes();
    stored_.push_back(std::move(block));
  }
  if (schedule_.done(want.count, keep)) {
    stored_.clear();
    stored_bytes_ = 0;
  }
}

}  // namespace AT_PRECISION
}  // namespace at
