#pragma once

#include <cstdint>
#include <vector>

#include "core/control.h"
#include "solve/features.h"
#include "solve/tiles.h"
#include "solve/transform.h"

namespace at::solve {

// The adapted kernel K_M = Σ_blocks ⟨M(X_r), M(X_s)⟩ of one set of features, again and again for
// other transforms M. What does not depend on M (kernels of blocks, Gram matrices of factors) is
// kept between calls as far as the budget goes; M = I + low rank then costs only its rank.
class KernelBuilder {
 public:
  // frozen[b]: block b will always come with the identity.
  KernelBuilder(FeatureSet features, std::vector<bool> frozen, size_t cache_budget);

  int64_t rows() const { return grid_.rows(); }
  size_t cached_bytes() const { return cached_; }
  // k (rows × rows), both triangles.
  void build(const std::vector<Transform>& transforms, double* k, const Control& control = {});
  // Of the last build's products: of rows with rows, and of dense features with directions.
  double flops() const { return flops_; }

 private:
  // Inner products of the rows of one factor: what is cached, or 1 where the columns are equal,
  // plus those of the rows given.
  struct Gram {
    const Tiles* base = nullptr;
    const int32_t* columns = nullptr;
    const double* rows = nullptr;
    int64_t width = 0;
    std::vector<double> storage;
  };
  struct Term {
    Gram delta, h;
    int64_t positions = 1;
  };
  // w y yᵀ: what stretching a flattened block's direction adds.
  struct Outer {
    std::vector<double> y;
    double weight;
  };
  // Where the kernel under given transforms comes from.
  struct Parts {
    std::vector<const Tiles*> bases;
    std::vector<Term> terms;
    std::vector<Outer> outers;
    std::vector<size_t> whole, updates;  // blocks to stream
  };
  // What may be kept for one block is decided once, so that a resumed fit computes the same bits.
  struct Cache {
    bool allowed = false;
    Tiles tiles;
  };
  struct Caches {
    Cache kernel, delta, h;
  };

  void allow(Cache& cache, int64_t unit, size_t* left);
  void plan(size_t budget);
  const Tiles& kernel_of(size_t b, const Control& control);
  const Tiles* frozen_kernel(const Control& control);
  void add_flat(size_t b, const Stretch& stretch, Parts& parts, const Control& control);
  Parts split(const std::vector<Transform>& transforms, const Control& control);
  // whole: the upper triangle too, from the lower.
  void fill(const Parts& parts, const Tiles& target, const Control& control, bool whole) const;
  static double block_flops(const Features& features);
  void add_block(size_t b, const Tiles& target, const Control& control) const;
  bool update_pays(const Features& features, const Transform& transform) const;
  static Gram direct(const double* factor, int64_t items, int64_t width, const Transform& transform,
                     size_t first_mode, size_t last_mode);
  Gram gram(const double* factor, int64_t items, const Transform& transform, size_t first_mode,
            size_t last_mode, int64_t width, Cache& cache);
  static Gram of_columns(const FactoredFeatures& features, const Stretch& stretch);
  Gram right_gram(const FactoredFeatures& features, const Transform& transform, Cache& cache);
  Term factored_term(size_t b, const Transform& transform);
  static void fill_tile(const Gram& gram, const Grid& grid, int64_t unit, int64_t t, int64_t i,
                        int64_t j, double* out);
  static void add_term(const Term& term, const Grid& grid, int64_t t, int64_t i, int64_t j, Tile to,
                       std::vector<double>& scratch);

  FeatureSet features_;
  std::vector<bool> frozen_;
  Grid grid_;
  size_t cached_ = 0;
  double flops_ = 0;
  Tiles frozen_kernel_;
  std::vector<Caches> caches_;
};

// K_M between two sets of features of the same blocks: out (rows of a, rows of b).
void cross_kernel(const FeatureSet& a, const FeatureSet& b,
                  const std::vector<Transform>& transforms, double* out,
                  const Control& control = {});

}  // namespace at::solve
