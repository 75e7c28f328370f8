#include "linear/softmax_kernel.h"

#include <algorithm>
#include <utility>

#include "core/blas.h"
#include "core/buffer.h"
#include "core/error.h"
#include "core/parallel.h"
#include "device/functions/arrange.h"
#include "device/functions/centre.h"
#include "device/launch.h"
#include "linear/cholesky.h"
#include "linear/device_cholesky.h"

namespace at::linear {

namespace {

using Vector = SoftmaxKernel::Vector;

Vector solution_of(const Factor& factor, const Vector& b, const Control& control) {
  if (factor.status() == Status::not_positive)
    throw Error("NUMERICAL",
                "The kernel plus the ridge is not positive definite in double precision: raise "
                "the ridge");
  return factor.solve(b, 1, control).value;
}

class HostKernel final : public SoftmaxKernel {
 public:
  explicit HostKernel(const SoftmaxProblem& problem)
      : problem_(problem), o_(problem.outputs), n_(problem.samples * problem.outputs) {}

  Vector times(const Vector& x) const override {
    Vector y(static_cast<size_t>(n_));
    blas::parallel_gemm(false, false, n_, 1, n_, 1.0, problem_.kernel.data(), n_, x.data(), 1, 0.0,
                        y.data(), 1);
    return y;
  }
  Vector solved(const Vector& p, const Vector& s, const Vector& b,
                const Control& control) const override {
    Vector a = curved(p, s);
    return solution_of(CholeskyFactor(n_, a.data(), problem_.ridge, control), b, control);
  }

 private:
  // Rᵀ K R, row by row: each sample's rows first, then along every row.
  Vector curved(const Vector& p, const Vector& s) const {
    Vector a(static_cast<size_t>(n_) * n_);
    const double* k = problem_.kernel.data();
    parallel_for(problem_.samples, grain_for(n_ * o_), [&](int64_t first, int64_t last) {
      Vector mean(static_cast<size_t>(n_));
      for (int64_t i = first * o_; i < last * o_; i += o_) {
        std::fill(mean.begin(), mean.end(), 0.0);
        for (int64_t o = i; o < i + o_; ++o)
          for (int64_t c = 0; c < n_; ++c) mean[c] += p[o] * k[o * n_ + c];
        for (int64_t o = i; o < i + o_; ++o) {
          double* row = a.data() + o * n_;
          for (int64_t c = 0; c < n_; ++c) row[c] = s[o] * (k[o * n_ + c] - mean[c]);
          gather(p, s, o_, row);
        }
      }
    });
    return a;
  }

  const SoftmaxProblem& problem_;
  int64_t o_, n_;
};

class DeviceKernel final : public SoftmaxKernel {
 public:
  DeviceKernel(const SoftmaxProblem& problem, std::shared_ptr<device::Stream> stream)
      : stream_(std::move(stream)),
        o_(problem.outputs),
        n_(problem.samples * problem.outputs),
        ridge_(problem.ridge) {
    within([&] { kernel_ = stream_->send(problem.kernel); });
  }

  Vector times(const Vector& x) const override {
    Vector y;
    within([&] {
      const auto from = stream_->send(x), to = stream_->take<double>(n_);
      device::Product<double> product;
      product.m = n_, product.k = product.lda = n_;
      product.n = product.ldb = product.ldc = 1;
      product.a = kernel_.at(), product.b = from.at(), product.c = to.at();
      stream_->multiply(product);
      y = stream_->fetch(to, n_);
    });
    return y;
  }
  Vector solved(const Vector& p, const Vector& s, const Vector& b,
                const Control& control) const override {
    Vector x;
    within([&] { x = solution_of(DeviceCholesky(stream_, n_, curved(p, s), ridge_), b, control); });
    return x;
  }

 private:
  // Rᵀ K R: along columns, then along rows.
  device::Buffer<double> curved(const Vector& p, const Vector& s) const {
    const auto shares = stream_->send(p), scales = stream_->send(s);
    const auto half = stream_->take<double>(n_ * n_), whole = stream_->take<double>(n_ * n_);
    device::for_rows(
        *stream_, n_, n_,
        device::CentreRows<double>{kernel_.at(), shares.at(), scales.at(), half.at(), n_, o_});
    device::for_rows(*stream_, n_, n_,
                     device::CentreColumns<double>{half.at(), shares.at(), scales.at(), whole.at(),
                                                   n_, device::Divider(o_)});
    return whole;
  }
  template <class Work>
  void within(const Work& work) const {
    try {
      work();
    } catch (const OverBudget& over) {
      stream_->abandon();
      throw Error("MEMORY_BUDGET", "Softmax regression on " + std::to_string(n_) +
                                       " rows (samples times classes) on a device needs at least " +
                                       describe_bytes(over.needed) + " of its memory but " +
                                       describe_bytes(stream_->limit()) +
                                       " are there: fit fewer samples, or on the cpu");
    } catch (...) {
      stream_->abandon();
      throw;
    }
  }

  std::shared_ptr<device::Stream> stream_;
  int64_t o_, n_;
  double ridge_;
  device::Buffer<double> kernel_;
};

}  // namespace

void gather(const Vector& p, const Vector& s, int64_t outputs, double* x) {
  for (int64_t i = 0; i < static_cast<int64_t>(p.size()); i += outputs) {
    double mean = 0;
    for (int64_t o = i; o < i + outputs; ++o) mean += p[o] * x[o];
    for (int64_t o = i; o < i + outputs; ++o) x[o] = s[o] * (x[o] - mean);
  }
}

std::unique_ptr<SoftmaxKernel> softmax_kernel(const SoftmaxProblem& problem,
                                              std::shared_ptr<device::Stream> stream) {
  if (!stream) return std::make_unique<HostKernel>(problem);
  return std::make_unique<DeviceKernel>(problem, std::move(stream));
}

}  // namespace at::linear
