#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "device/stream.h"
#include "linear/factor.h"

namespace at::linear {

// CholeskyFactor on a device: L Lᵀ = A + shift·I in the lower triangle of the memory that holds A
// in its upper one. What goes in and comes out is the host's.
class DeviceCholesky final : public Factor {
 public:
  // Of a matrix (n × n) on the device, both triangles; it is overwritten.
  DeviceCholesky(std::shared_ptr<device::Stream> stream, int64_t n, device::Buffer<double> a,
                 double shift);
  // Of a matrix (n × n) of the host that is checked (check_symmetric).
  DeviceCholesky(std::shared_ptr<device::Stream> stream, int64_t n, const std::vector<double>& a,
                 double shift);

  int64_t size() const override { return n_; }
  Status status() const override { return status_; }
  Statistics statistics() const override;
  // With one step of iterative refinement.
  Result<std::vector<double>> solve(const std::vector<double>& b, int64_t columns,
                                    const Control& control = {}) const override;
  Result<std::vector<double>> inverse_blocks(int64_t block,
                                             const Control& control = {}) const override;
  Result<Estimate> log_determinant(const Control& control = {}) const override;
  Result<std::vector<double>> sample(Gaussian gaussian, const std::vector<double>& z,
                                     int64_t columns, const Control& control = {}) const override;
  // A x for x (n, columns).
  std::vector<double> product(const std::vector<double>& x, int64_t columns) const;
  double reciprocal_condition() const;

 private:
  void factorise();
  void solve_lower(bool transposed, int64_t first, int64_t columns,
                   const device::Pointer<double>& x) const;
  // y (n × columns) = alpha·(A + shift·I)·x + beta·y.
  void add_product(double alpha, double beta, double shift, int64_t columns,
                   const device::Pointer<const double>& x, const device::Pointer<double>& y) const;
  device::Pointer<const double> l() const { return a_.at(); }

  std::shared_ptr<device::Stream> stream_;
  int64_t n_;
  device::Buffer<double> a_;
  double shift_;
  std::vector<double> diagonal_, root_;  // of A and of L
  device::Buffer<double>
      on_diagonal_[2];  // what a_'s diagonal lacks of A's, and of its shifted one
  Status status_ = Status::solved;
  mutable std::mutex mutex_;  // a stream is of one thread at a time
};

}  // namespace at::linear
