#pragma once

#include <cstdint>
#include <vector>

#include "core/buffer.h"
#include "core/control.h"
#include "fit/features.h"
#include "fit/sides.h"
#include "fit/transform.h"
#include "kernels/triangle.h"

namespace at::fit {

// The adapted kernel K_M = Σ_blocks ⟨M(X_r), M(X_s)⟩ of one set of features, again and again for
// other transforms M. What does not depend on M (kernels of blocks, Gram matrices of factors) is
// kept between calls as far as the budget goes; M = I + low rank then costs only its rank.
class KernelBuilder {
 public:
  // frozen[b]: block b will always come with the identity.
  KernelBuilder(FeatureSet features, std::vector<bool> frozen, size_t cache_budget);

  int64_t rows() const { return features_[0]->rows(); }
  size_t cached_bytes() const { return cached_; }
  // k (rows × rows), both triangles.
  void build(const std::vector<Transform>& transforms, double* k, const Control& control = {});
  // Of the last build's products: of rows with rows, and of dense features with directions.
  double flops() const { return flops_; }

 private:
  using Triangle = kernels::Triangle<double>;
  // w y yᵀ: what stretching a flattened block's direction adds.
  struct Outer {
    std::vector<double> y;
    double weight;
  };
  // A block of which columns are made, a bounded number at a time.
  struct Stream {
    size_t block;
    Transform transform;
  };
  // A block whose factors are transformed.
  struct Factors {
    size_t block;
    Transform transform;
    GramCaches* caches;
  };
  // Where a kernel comes from: what is kept, factors, and columns of features, whole ones or those
  // of what a transform adds.
  struct Parts {
    std::vector<Triangle> bases;
    std::vector<Factors> factors;
    std::vector<FactoredSide> sides;  // of the factors
    std::vector<Outer> outers;
    std::vector<Stream> whole, updates;
  };
  // What may be kept for one block is decided once, so that a resumed fit computes the same bits.
  struct Kept {
    bool allowed = false;
    Triangle kernel;
    GramCaches grams;
  };

  void plan(size_t budget);
  Transform unstretched(size_t b) const;
  void make_sides(Parts& parts);
  void add_plain(size_t b, Parts& parts);
  void add_flat(size_t b, const Stretch& stretch, Parts& parts, const Control& control);
  const Triangle& kept(Triangle& kernel, const std::vector<size_t>& blocks, const Control& control);
  Parts split(const std::vector<Transform>& transforms, const Control& control);
  static void begin(const Parts& parts, const kernels::Place& place, int64_t outputs,
                    const kernels::Tile<double>& tile);
  void assemble(const Parts& parts, const Triangle& target, bool full, const Control& control);
  void stream(const Parts& parts, const Triangle& target, const Control& control);

  FeatureSet features_;
  std::vector<size_t> frozen_, free_;
  kernels::Grid grid_;
  Pool pool_;
  size_t cached_ = 0;
  double flops_ = 0;
  Triangle frozen_kernel_;
  std::vector<Kept> kept_;
};

// K_M between two sets of features of the same blocks: out (rows of a, rows of b).
void cross_kernel(const FeatureSet& a, const FeatureSet& b,
                  const std::vector<Transform>& transforms, double* out,
                  const Control& control = {});

}  // namespace at::fit
