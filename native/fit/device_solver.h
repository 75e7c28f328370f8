#pragma once

#include <memory>
#include <vector>

#include "core/control.h"
#include "device/stream.h"
#include "fit/device_features.h"
#include "kernels/device_block.h"
#include "kernels/grid.h"
#include "linear/device_cholesky.h"

namespace at::fit {

// What KernelBuilder and RowSolver do on the host, on a device: the adapted kernel of one set of
// features for one transform after another, its factor, and products with the features. Features go
// up once; transforms, targets and B cross, kernels do not.
class DeviceSolver {
 public:
  // frozen[b]: block b will always come with the identity. Throws Error("MEMORY_BUDGET") where the
  // device's memory is not enough, as all that follows does.
  DeviceSolver(std::shared_ptr<device::Stream> stream, FeatureSet features,
               std::vector<bool> frozen);

  device::Stream& stream() const { return *stream_; }
  // K_M, and its diagonal.
  std::vector<double> build(const std::vector<Transform>& transforms, const Control& control);
  // K_M + ridge·I of the last build, which is gone then.
  std::unique_ptr<linear::DeviceCholesky> factor(double ridge);
  // fit (rows) += what B of all blocks, one after another, says of the targets.
  void apply(const double* b, double* fit) const;
  // s (m, k) = Σ_r a_r X_r of one block.
  void adjoint(size_t block, const std::vector<double>& a, double* s) const;
  // Of the last build's products.
  double flops() const { return flops_; }

 private:
  using Unit = kernels::DeviceUnit<double>;
  using Address = device::Pointer<double>;
  // What may be kept for one block is decided once, so that a resumed fit computes the same bits.
  struct Kept {
    device::Buffer<double> kernel;    // of a dense block, before any transform
    device::Buffer<double> delta, h;  // inner products of factors
  };

  template <class Work>
  auto guarded(const Work& work) const;
  void plan();
  void keep_plain();
  void add(const Unit& unit, const Address& to, const Control& control) const;
  void add(const device::Buffer<double>& kernel) const;
  // x (rows, width)
  void add_columns(const device::Buffer<double>& x, int64_t width, const Address& to,
                   const Control& control) const;
  void add_block(size_t b, const Transform& transform, const Control& control);
  void add_plain(size_t b, const Address& to, const Control& control) const;
  void add_factors(size_t b, const Transform& transform, const Control& control);
  void add_flat(size_t b, const Stretch& stretch, const Control& control);
  void add_whole(size_t b, const Transform& transform, const Address& to,
                 const Control& control) const;
  void add_update(size_t b, const Transform& transform, const Control& control);
  Unit factors_of(size_t b) const;
  int64_t columns_at_once(int64_t width, int64_t count) const;

  std::shared_ptr<device::Stream> stream_;
  std::vector<bool> frozen_;
  std::vector<DeviceFeatures> blocks_;
  std::vector<Kept> kept_;
  kernels::Grid grid_;
  int64_t rows_, outputs_, samples_;
  device::Buffer<double> kernel_, frozen_kernel_;
  bool frozen_made_ = false;
  double flops_ = 0;
};

}  // namespace at::fit
