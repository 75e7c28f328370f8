#include "jobs/features_job.h"

#include <algorithm>
#include <cstring>

#include "core/error.h"
#include "core/parallel.h"
#include "jobs/device_jacobian.h"
#include "jobs/jacobian_sink.h"
#include "jobs/jobs.h"
#include "reverse/pass.h"

namespace at {
inline namespace AT_PRECISION {

// Keeps the factors of parameters that have one use; everything else is expanded.
class FeaturesJob::Sink final : public FeatureSink {
 public:
  // Of the pass's outputs the first is number `first` of those wanted.
  Sink(FeaturesJob& job, const std::vector<int64_t>& sizes, int64_t first)
      : job_(job),
        sizes_(sizes),
        total_(static_cast<int64_t>(job.settings_.outputs.size())),
        first_(first),
        expanded_(std::vector<Real*>(sizes.size(), nullptr), sizes, {job.at_, total_, first},
                  job.pool_) {}

  // Are the factors of such a use kept?
  bool keeps(int p, const MatrixDims& dims) const {
    const bool small =
        job_.factored_ ||
        dims.positions * (total_ * dims.rows + (dims.picks ? 1 : dims.cols)) < total_ * sizes_[p];
    const bool fits = !dims.picks || dims.cols <= INT32_MAX;
    return dims.groups == 1 && job_.uses_[p] == 1 && small && fits;
  }

  // Makes room for the features of a use, to be written through the sink that is returned.
  JacobianSink& open(int p, const MatrixDims& dims, int bias) {
    if (dims.groups == 1) remember(job_.features_[p], dims, bias);
    if (bias >= 0) open(bias);
    return open(p);
  }
  JacobianSink& open(int p) {
    expand(p);
    return expanded_;
  }

  void matrix(int p, MatrixUse use) override {
    if (!keeps(p, use.dims)) return open(p, use.dims, use.bias).matrix(p, std::move(use));
    ParameterFeatures& to = job_.features_[p];
    const int64_t positions = use.dims.positions, rows = use.dims.rows, cols = use.dims.cols;
    const bool picks = use.dims.picks;
    const int64_t N = job_.settings_.samples;
    if (!to.delta) {
      to.delta = job_.allocate(checked_mul(N * total_, positions * rows));
      (picks ? to.columns : to.h) = job_.allocate(checked_mul(N, positions * (picks ? 1 : cols)));
      to.positions = positions;
      remember(to, use.dims, use.bias);
    }
    if (picks) {
      auto* columns = static_cast<int32_t*>(to.columns->data()) + job_.at_ * positions;
      for (int64_t column : *use.columns) *columns++ = static_cast<int32_t>(column);
    } else {
      std::memcpy(to.h->numbers<Real>() + job_.at_ * positions * cols, use.h.get(),
                  static_cast<size_t>(use.samples * positions * cols) * sizeof(Real));
    }
    Real* delta = to.delta->numbers<Real>() + (job_.at_ * total_ + first_) * positions * rows;
    const int64_t T = positions, C = use.count, m = rows;
    parallel_for(use.samples, grain_for(T * C * m), [&](int64_t first, int64_t last) {
      for (int64_t i = first; i < last; ++i)
        for (int64_t t = 0; t < T; ++t)
          for (int64_t c = 0; c < C; ++c)
            std::memcpy(delta + ((i * total_ + c) * T + t) * m,
                        use.delta.get() + ((i * T + t) * C + c) * m,
                        static_cast<size_t>(m) * sizeof(Real));
    });
    if (use.bias >= 0) open(use.bias).bias(use);
  }

  void dense(int p, int64_t count, int64_t samples, std::shared_ptr<Real> features) override {
    open(p).dense(p, count, samples, std::move(features));
  }

  JacobianSink& expanded() { return expanded_; }

  // A parameter that nothing flowed to still has features: zeros.
  void fill_missing(int64_t samples, int64_t count) {
    for (size_t p = 0; p < sizes_.size(); ++p) {
      if (job_.features_[p].delta || expanded_.written(static_cast<int>(p))) continue;
      expand(static_cast<int>(p));
      for (int64_t i = job_.at_; i < job_.at_ + samples; ++i) {
        Real* to = job_.features_[p].x->numbers<Real>() + (i * total_ + first_) * sizes_[p];
        std::fill(to, to + count * sizes_[p], Real(0.0));
      }
    }
  }

 private:
  // How the parameter is used as a matrix, unless its uses disagree.
  static void remember(ParameterFeatures& to, const MatrixDims& dims, int bias) {
    if (to.rows == 0) {
      to.rows = dims.rows;
      to.cols = dims.cols;
      to.transposed = dims.transposed;
      to.bias = bias;
    } else if (to.rows != dims.rows || to.cols != dims.cols || to.transposed != dims.transposed ||
               to.bias != bias) {
      to.rows = to.cols = -1;
      to.bias = -1;
    }
  }

  void expand(int p) {
    ParameterFeatures& to = job_.features_[p];
    if (!to.x) to.x = job_.allocate(checked_mul(job_.settings_.samples * total_, sizes_[p]));
    expanded_.set_result(p, to.x->numbers<Real>());
  }

  FeaturesJob& job_;
  const std::vector<int64_t>& sizes_;
  int64_t total_;
  int64_t first_;
  JacobianSink expanded_;
};

// The same of a pass on a device: factors that are kept come down, the others are multiplied out
// there.
class FeaturesJob::OnDevice final : public DeviceSink {
 public:
  OnDevice(FeaturesJob& job, const std::vector<int64_t>& sizes, Sink& sink)
      : job_(job),
        sink_(sink),
        formed_(*job.settings_.stream, *job.settings_.pending, sink.expanded(), sizes, job.uses_,
                job.pool_) {}

  void matrix(int p, MatrixUse use) override { sink_.matrix(p, std::move(use)); }
  void dense(int p, int64_t count, int64_t samples, std::shared_ptr<Real> features) override {
    sink_.dense(p, count, samples, std::move(features));
  }
  void matrix_on_device(int p, DeviceMatrixUse use) override {
    if (sink_.keeps(p, use.dims))
      return sink_.matrix(p, to_host(*job_.settings_.stream, use, job_.pool_));
    sink_.open(p, use.dims, use.bias);
    formed_.matrix_on_device(p, std::move(use));
  }
  void dense_on_device(int p, int64_t count, int64_t samples, DeviceNumbers features) override {
    sink_.open(p);
    formed_.dense_on_device(p, count, samples, std::move(features));
  }
  void finish() { formed_.finish(); }

 private:
  FeaturesJob& job_;
  Sink& sink_;
  DeviceJacobianSink formed_;
};

FeaturesJob::FeaturesJob(const Tape& tape, JobSettings settings, bool factored)
    : SweepJob(tape, std::move(settings), 0),
      features_(tape.parameters.size()),
      uses_(parameter_uses(tape)),
      factored_(factored) {}

std::shared_ptr<Memory> FeaturesJob::allocate(int64_t floats) {
  const int64_t bytes = checked_mul(floats, sizeof(Real));
  allocated_ = checked_add(allocated_, bytes);
  if (static_cast<size_t>(allocated_) > settings_.memory) {
    throw Error("MEMORY_BUDGET",
                "The features need more than " + describe_bytes(static_cast<size_t>(allocated_)) +
                    " but the memory budget is " + describe_bytes(settings_.memory) +
                    "; take fewer samples, outputs or parameters");
  }
  return std::make_shared<Memory>(static_cast<size_t>(bytes));
}

void FeaturesJob::block(const Frame& frame) {
  const std::vector<int64_t> sizes = parameter_sizes(frame);
  blocks_of_outputs(settings_.outputs, at_once_, [&](const auto& outputs, int64_t first) {
    const auto count = static_cast<int64_t>(outputs.size());
    Sink sink(*this, sizes, first);
    auto seed = unit_seed(tape_, frame, outputs, pool_);
    if (settings_.stream) {
      OnDevice there(*this, sizes, sink);
      pass_on_device(frame, count, std::move(seed), there);
      there.finish();
    } else {
      reverse_pass(tape_, frame, count, std::move(seed), pool_, settings_.control, sink);
    }
    sink.fill_missing(frame.samples, count);
  });
}

std::vector<Record> FeaturesJob::report() const {
  std::vector<Record> records;
  for (const ParameterFeatures& one : features_) {
    Record record;
    if (one.delta) {
      record.emplace_back("delta", one.delta);
      if (one.h) record.emplace_back("h", one.h);
      if (one.columns) record.emplace_back("columns", one.columns);
      record.emplace_back("positions", one.positions);
    } else {
      record.emplace_back("x", one.x);
    }
    if (one.delta || one.rows > 0) {
      record.emplace_back("rows", one.rows);
      record.emplace_back("cols", one.cols);
      record.emplace_back("transposed", one.transposed);
      record.emplace_back("bias", int64_t{one.bias});
    }
    records.push_back(std::move(record));
  }
  return records;
}

namespace {

const JobKind features_kind("features", [](JobRequest& request) -> std::unique_ptr<Job> {
  return std::make_unique<FeaturesJob>(request.tape, std::move(request.settings),
                                       request.options.integer_or("factored", 0) != 0);
});

}  // namespace

}  // namespace AT_PRECISION
}  // namespace at
