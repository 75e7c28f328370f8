#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "jobs/block.h"
#include "jobs/job.h"
#include "jobs/kernel_job.h"
#include "jobs/tile_grid.h"

namespace at {
inline namespace AT_PRECISION {

// A kernel of one input with itself or of two, tile by tile: every tile is given away as soon as it
// is whole, and those that are not wanted are not computed. What a tile holds depends on the job
// and its place alone, not on which others are computed. The features of as many columns of tiles
// (rows, between two inputs) as fit are kept, and the other side's are run past them.
class TiledKernelJob final : public Job {
 public:
  TiledKernelJob(const Tape& tape, JobSettings settings, KernelTask task, TileGrid grid);
  std::optional<Want> next() override;
  std::vector<std::string> methods() const override;
  std::optional<Record> take_tile() override;
  size_t peak_bytes() const override { return pool_.peak_bytes() + inner_peak_; }

 protected:
  void compute(const Frame& frame) override;
  bool shrink(int64_t samples) override;

 private:
  using Place = std::pair<int64_t, int64_t>;
  using Results = std::vector<std::shared_ptr<Real>>;
  // The features of one row or column of tiles; each block begins where it lies in its tile.
  struct Kept {
    int64_t tile;
    std::vector<Block> blocks;
  };

  int side() const { return storing_ || task_.symmetric ? 0 : 1; }
  // Does the tile that is run meet the kept one in a tile that is wanted?
  bool meets(int64_t kept) const;
  bool needed() const;
  Place place(int64_t kept) const;
  // Goes on to the next samples that are needed.
  void settle();
  void begin_group(int64_t tile);
  Block collect(const Frame& frame);
  void use(Block block);
  void meet(const Block& block, const Block& other, bool same, Place place);
  Results& open(Place place);
  void finish(Place place);
  int64_t numbers(Place place) const;
  int kernels() const;
  // Where the outputs of one sample do not fit one pass, each tile is a job of its own.
  void begin_tile();
  std::optional<Want> next_of_tile();
  void compute_tile(const Frame& frame);

  KernelTask task_;
  TileGrid grid_;
  std::vector<int> uses_;
  std::vector<Method> methods_;
  std::vector<std::string> names_;  // of methods, where tiles are jobs
  int64_t group_ = 0;               // its first tile
  int64_t group_end_ = 0;
  int64_t most_kept_;  // tiles
  std::vector<Kept> kept_;
  int64_t kept_bytes_ = 0;
  int64_t tile_ = 0;  // that is run
  int64_t at_ = 0;    // its next sample
  bool storing_ = true;
  bool done_ = false;
  std::map<Place, Results> open_;
  std::deque<std::pair<Place, Results>> finished_;
  bool apart_;
  Place present_{0, 0};
  std::unique_ptr<KernelJob> inner_;
  size_t inner_peak_ = 0;
};

}  // namespace AT_PRECISION
}  // namespace at
