#include "jobs/tiled_job.h"

#include <algorithm>
#include <cstring>

#include "core/error.h"
#include "core/shape.h"
#include "jobs/collect.h"
#include "jobs/device_collect.h"
#include "kernels/contract.h"
#include "reverse/pass.h"

namespace at {
inline namespace AT_PRECISION {

TiledKernelJob::TiledKernelJob(const Tape& tape, JobSettings settings, KernelTask task,
                               TileGrid grid)
    : Job(tape, std::move(settings)),
      task_(std::move(task)),
      grid_(std::move(grid)),
      uses_(parameter_uses(tape)),
      most_kept_(grid_.rows()),
      apart_(outputs_at_once() < task_.outputs) {
  at_once_ = task_.outputs;
  // Whatever the budget, so that a tile's bits do not depend on it.
  constexpr int64_t kRows = 4096;
  block_size_ = settings_.block > 0 ? settings_.block : std::max<int64_t>(1, kRows / task_.outputs);
  // Where tiles are jobs, each adds its own work as it begins.
  settings_.control.expect((apart_ ? 2 : 1) * grid_.pairs_wanted());
  if (apart_) {
    begin_tile();
  } else {
    settle();
  }
}

int TiledKernelJob::kernels() const {
  int count = 0;
  for (int group : task_.groups) count = std::max(count, group + 1);
  return count;
}

int64_t TiledKernelJob::numbers(Place place) const {
  int64_t count = checked_mul(grid_.samples(0, place.first), grid_.samples(1, place.second));
  if (task_.type != KernelType::kTrace) count = checked_mul(count, task_.outputs);
  return task_.type == KernelType::kFull ? checked_mul(count, task_.outputs) : count;
}

// Rows come after columns in a symmetric kernel; else X's samples, which are kept, are the rows.
TiledKernelJob::Place TiledKernelJob::place(int64_t kept) const {
  return task_.symmetric ? Place{tile_, kept} : Place{kept, tile_};
}

bool TiledKernelJob::meets(int64_t kept) const {
  const Place where = place(kept);
  return grid_.wanted(where.first, where.second);
}

bool TiledKernelJob::needed() const {
  for (const Kept& kept : kept_)
    if ((task_.symmetric || !storing_) && meets(kept.tile)) return true;
  if (!storing_) return false;
  const int64_t others = task_.symmetric ? grid_.rows() : grid_.columns();
  for (int64_t other = 0; other < others; ++other)
    if (task_.symmetric ? grid_.wanted(other, tile_) : grid_.wanted(tile_, other)) return true;
  return false;
}

void TiledKernelJob::begin_group(int64_t tile) {
  kept_.clear();
  kept_bytes_ = 0;
  open_.clear();
  group_ = tile_ = tile;
  at_ = 0;
  storing_ = true;
}

void TiledKernelJob::settle() {
  const int64_t budget = kept_budget();
  for (; !done_; ++tile_) {
    if (storing_) {
      // Of the next one as much is expected as of the last.
      const auto count = static_cast<int64_t>(kept_.size());
      const bool full =
          count >= most_kept_ || (count > 0 && kept_bytes_ / count > budget - kept_bytes_);
      if (tile_ >= grid_.rows() || full) {
        storing_ = false;
        group_end_ = tile_;
        tile_ = task_.symmetric ? group_end_ : 0;
      }
    }
    if (!storing_ && tile_ >= (task_.symmetric ? grid_.rows() : grid_.columns())) {
      done_ = group_end_ >= grid_.rows();
      begin_group(group_end_);
      if (done_) return;
    }
    if (needed()) return;
  }
}

std::optional<Want> TiledKernelJob::next() {
  if (apart_) return next_of_tile();
  if (done_) return std::nullopt;
  const int64_t left = grid_.samples(side(), tile_) - at_;
  return Want{side(), grid_.first(tile_) + at_, std::min(block_size_, left)};
}

std::vector<std::string> TiledKernelJob::methods() const {
  std::vector<std::string> names = names_;
  for (Method method : methods_) names.push_back(kernels::name_of(method));
  return names;
}

void TiledKernelJob::compute(const Frame& frame) {
  if (apart_) return compute_tile(frame);
  const Want want = *next();
  if (frame.samples != want.count) throw Error("BAD_ARGUMENT", "Another block was asked for");
  use(collect(frame));
}

Block TiledKernelJob::collect(const Frame& frame) {
  const int64_t count = task_.outputs;
  auto seed = unit_seed(tape_, frame, settings_.outputs, pool_);
  if (settings_.stream) {
    DeviceCollector collector(task_, parameter_sizes(frame), uses_, pool_, settings_.stream);
    pass_on_device(frame, count, std::move(seed), collector);
    return collector.finish(at_, frame.samples, count, methods_);
  }
  BlockCollector collector(task_, parameter_sizes(frame), uses_, pool_);
  reverse_pass(tape_, frame, count, std::move(seed), pool_, settings_.control, collector);
  return collector.finish(at_, frame.samples, count, methods_);
}

void TiledKernelJob::use(Block block) {
  const bool keep = storing_;
  const int64_t samples = block.samples;
  if (task_.symmetric || !storing_) {
    for (const Kept& kept : kept_) {
      // Its own tile's blocks come before it in that tile.
      if (!meets(kept.tile)) continue;
      for (const Block& other : kept.blocks) meet(block, other, false, place(kept.tile));
    }
  }
  if (keep) {
    const bool fresh = kept_.empty() || kept_.back().tile != tile_;
    if (fresh) kept_.push_back({tile_, {}});
    if (task_.symmetric && meets(tile_)) meet(block, block, true, {tile_, tile_});
    kept_bytes_ += block.bytes();
    kept_.back().blocks.push_back(std::move(block));
  }
  at_ += samples;
  if (at_ < grid_.samples(side(), tile_)) return;
  std::vector<Place> whole;
  for (const auto& entry : open_)
    if ((task_.symmetric ? entry.first.first : entry.first.second) == tile_)
      whole.push_back(entry.first);
  for (const Place& where : whole) finish(where);
  at_ = 0;
  ++tile_;
  settle();
}

void TiledKernelJob::meet(const Block& block, const Block& other, bool same, Place place) {
  KernelTask task = task_;
  // Within a tile of the diagonal what is computed is mirrored.
  task.symmetric = task_.symmetric && place.first == place.second;
  task.samples1 = grid_.samples(0, place.first);
  task.samples2 = grid_.samples(1, place.second);
  std::vector<Real*> results;
  for (const auto& result : open(place)) results.push_back(result.get());
  const bool swapped = !task_.symmetric;
  kernels::contract(task, swapped ? other : block, swapped ? block : other, same, results, pool_,
                    settings_.control, settings_.pending.get());
}

TiledKernelJob::Results& TiledKernelJob::open(Place place) {
  Results& results = open_[place];
  if (results.empty()) {
    Results fresh;
    for (int k = 0; k < kernels(); ++k) fresh.push_back(pool_.take<Real>(numbers(place)));
    results = std::move(fresh);
  }
  return results;
}

void TiledKernelJob::finish(Place place) {
  if (settings_.pending) settings_.pending->settle();
  finished_.emplace_back(place, std::move(open_[place]));
  open_.erase(place);
  grid_.finish(place.first, place.second);
  if (!apart_) settings_.control.advance(grid_.pairs(place.first, place.second));
}

std::optional<Record> TiledKernelJob::take_tile() {
  if (finished_.empty()) return std::nullopt;
  const auto [place, results] = std::move(finished_.front());
  finished_.pop_front();
  std::vector<std::shared_ptr<Memory>> blocks;
  const size_t bytes = static_cast<size_t>(numbers(place)) * sizeof(Real);
  for (const auto& result : results) {
    blocks.push_back(std::make_shared<Memory>(bytes));
    std::memcpy(blocks.back()->data(), result.get(), bytes);
  }
  return Record{{"row", place.first}, {"column", place.second}, {"blocks", std::move(blocks)}};
}

// Begins the group again with fewer tiles kept; those that are finished stay so. With one the
// samples in it are too many: what a tile holds must not depend on what else is in memory.
bool TiledKernelJob::shrink(int64_t) {
  const auto kept = static_cast<int64_t>(kept_.size());
  if (!apart_ && kept > 1) {
    most_kept_ = std::max<int64_t>(1, kept / 2);
    begin_group(group_);
    settle();
    return true;
  }
  throw Error("MEMORY_BUDGET", "A tile of " + std::to_string(grid_.samples(0, 0)) +
                                   " samples a side does not fit what the memory budget leaves, " +
                                   describe_bytes(settings_.memory) +
                                   "; take smaller tiles or raise the budget");
}

void TiledKernelJob::begin_tile() {
  for (int64_t r = 0; r < grid_.rows(); ++r) {
    for (int64_t c = 0; c < grid_.columns(); ++c) {
      if (!grid_.wanted(r, c)) continue;
      present_ = {r, c};
      KernelTask task = task_;
      task.symmetric = task_.symmetric && r == c;
      task.samples1 = grid_.samples(0, r);
      task.samples2 = grid_.samples(1, c);
      settings_.control.expect(-2 * grid_.pairs(r, c));
      JobSettings settings = settings_;
      settings.samples = task.samples1;
      std::vector<Real*> results;
      for (const auto& result : open(present_)) results.push_back(result.get());
      settings.memory -= pool_.live_bytes();
      inner_ = std::make_unique<KernelJob>(tape_, std::move(settings), std::move(task),
                                           std::move(results), std::nullopt);
      return;
    }
  }
}

std::optional<Want> TiledKernelJob::next_of_tile() {
  if (!inner_) return std::nullopt;
  auto want = inner_->next();
  if (!want) return std::nullopt;
  want->first += grid_.first(want->side == 0 ? present_.first : present_.second);
  if (task_.symmetric) want->side = 0;
  return want;
}

void TiledKernelJob::compute_tile(const Frame& frame) {
  inner_->feed(frame);
  names_ = inner_->methods();
  inner_peak_ = std::max(inner_peak_, inner_->peak_bytes());
  if (inner_->next()) return;
  inner_.reset();
  finish(present_);
  begin_tile();
}

}  // namespace AT_PRECISION
}  // namespace at
