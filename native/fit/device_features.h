#pragma once

#include <memory>
#include <vector>

#include "device/stream.h"
#include "fit/features.h"
#include "fit/transform.h"

namespace at::fit {

// One mode's matrix on a device.
class DeviceStretch {
 public:
  DeviceStretch(device::Stream& stream, const Stretch& stretch);
  int64_t rank() const { return rank_; }
  // x (outer, dim, inner) ← the matrix times x along the middle axis.
  void apply(device::Stream& stream, int64_t outer, int64_t inner,
             const device::Pointer<double>& x) const;
  // (rank, dim), orthonormal.
  device::Pointer<const double> vectors() const { return vectors_.at(); }
  // The same times z − 1.
  device::Pointer<const double> weighted() const { return weighted_.at(); }

 private:
  int64_t rank_, dim_;
  device::Buffer<double> vectors_, weighted_;
};

// One block's features on a device, in double: as such or in factors, as the host has them.
class DeviceFeatures {
 public:
  DeviceFeatures(device::Stream& stream, std::shared_ptr<const Features> features);

  const Features& host() const { return *host_; }
  bool factored() const { return factors_ != nullptr; }
  bool picks() const { return factors_ && factors_->picks(); }
  int64_t positions() const { return factors_ ? factors_->positions() : 1; }
  const device::Buffer<double>& x() const { return x_; }               // (rows, m, k)
  const device::Buffer<double>& delta() const { return delta_; }       // (samples, T, outputs, m)
  const device::Buffer<double>& h() const { return h_; }               // (samples, T, k)
  const device::Buffer<int64_t>& columns() const { return columns_; }  // (samples, T), of picks

  // y (rows) += ⟨X_r, b⟩ for b (m, k).
  void apply(device::Stream& stream, const device::Pointer<const double>& b,
             const device::Pointer<double>& y) const;
  // s (m, k) = Σ_r a_r X_r.
  void adjoint(device::Stream& stream, const device::Pointer<const double>& a,
               const device::Pointer<double>& s) const;
  // Rows [first, first + count) of every X_r: to (rows, count, k).
  void expand(device::Stream& stream, int64_t first, int64_t count,
              const device::Pointer<double>& to) const;
  // (samples·T, rank) = h·vectorsᵀ for vectors (rank, k).
  device::Buffer<double> project(device::Stream& stream, int64_t rank,
                                 const device::Pointer<const double>& vectors) const;

 private:
  std::shared_ptr<const Features> host_;
  const FactoredFeatures* factors_;
  device::Buffer<double> x_, delta_, h_;
  // Of picks: where they are, and for each column the entries that pick it.
  device::Buffer<int64_t> columns_, starts_, order_;
};

}  // namespace at::fit
