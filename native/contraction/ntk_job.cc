#include "contraction/ntk_job.h"

#include <algorithm>

#include "contraction/collect.h"
#include "contraction/tile.h"
#include "core/error.h"
#include "reverse/pass.h"

namespace at {

NtkJob::NtkJob(const Tape& tape, JobSettings settings, KernelTask task, std::vector<float*> results)
    : Job(tape, std::move(settings)),
      task_(std::move(task)),
      results_(std::move(results)),
      schedule_(task_.symmetric, task_.samples1, task_.samples2),
      uses_(parameter_uses(tape)) {
  block_size_ = samples_per_block(task_.outputs);
  // Half the work is attributed to the passes, half to the pairs of samples.
  settings_.control.expect(2 * task_.pairs());
}

std::optional<Want> NtkJob::next() { return schedule_.next(block_size_); }

std::vector<std::string> NtkJob::methods() const {
  std::vector<std::string> names;
  for (Method method : methods_) names.push_back(name_of(method));
  return names;
}

void NtkJob::compute(const Frame& frame) {
  const Want want = *schedule_.next(block_size_);
  if (frame.samples != want.count) throw Error("BAD_ARGUMENT", "Another block was asked for");
  const auto count = static_cast<int64_t>(settings_.outputs.size());
  BlockCollector collector(task_, parameter_sizes(frame), uses_, pool_);
  reverse_pass(tape_, frame, count, unit_seed(tape_, frame, settings_.outputs, pool_), pool_,
               settings_.control, collector);
  Block block = collector.finish(want.first, want.count, count, methods_);
  settings_.control.advance(task_.pairs() * want.count /
                            (task_.samples1 + (task_.symmetric ? 0 : task_.samples2)));

  const bool storing = schedule_.storing();
  // Room for the pass of another block must remain beside the stored ones.
  const auto budget = static_cast<int64_t>(std::min<size_t>(settings_.memory / 2, INT64_MAX / 2));
  const bool keep = storing && (stored_.empty() || stored_bytes_ + block.bytes() <= budget);
  const bool meets = task_.symmetric || !storing;
  if (meets) {
    for (const Block& other : stored_) {
      // In a symmetric kernel the rows come after the columns; else X's samples are the rows.
      if (task_.symmetric) {
        contract(task_, block, other, false, results_, pool_, settings_.control);
      } else {
        contract(task_, other, block, false, results_, pool_, settings_.control);
      }
      settings_.control.advance(block.samples * other.samples);
    }
  }
  if (task_.symmetric && keep) {
    contract(task_, block, block, true, results_, pool_, settings_.control);
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

}  // namespace at
