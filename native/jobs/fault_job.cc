#include "jobs/fault_job.h"

#include <algorithm>
#include <cmath>

#include "jobs/jobs.h"
#include "reverse/pass.h"

namespace at {
inline namespace AT_PRECISION {

namespace {

// The first features of a block that are not finite, by sample.
class FaultSink final : public FeatureSink {
 public:
  FaultSink(const PassWitness& witness, const std::vector<int64_t>& sizes)
      : witness_(witness), sizes_(sizes) {}

  void matrix(int parameter, MatrixUse use) override {
    const int64_t G = use.dims.groups, T = use.dims.positions, C = use.count, m = use.dims.rows;
    const int64_t k = use.dims.picks ? 0 : use.dims.cols;
    for (int64_t i = 0; i < use.samples; ++i)
      for (int64_t t = i * G * T; t < (i + 1) * G * T; ++t) {
        const Real* h = k > 0 ? use.h.get() + t * k : nullptr;
        const Real largest = extreme(h, k);
        for (int64_t c = 0; c < C; ++c) {
          // The largest product: of numbers that may be finite each.
          const Real value = largest * extreme(use.delta.get() + (t * C + c) * m, m);
          const bool none = extreme(use.delta.get() + (t * C + c) * m, m) == 0;
          if (!none && !std::isfinite(value)) note(parameter, i, c, value);
        }
      }
  }

  void dense(int parameter, int64_t count, int64_t samples,
             std::shared_ptr<Real> features) override {
    const int64_t size = sizes_[static_cast<size_t>(parameter)];
    for (int64_t ci = 0; ci < count * samples; ++ci) {
      const Real value = extreme(features.get() + ci * size, size);
      if (!std::isfinite(value)) note(parameter, ci % samples, ci / samples, value);
    }
  }

  const std::optional<Fault>& found() const { return found_; }

 private:
  // The largest absolute value; NaN where there is one. 1 of nothing: a picked row's.
  static Real extreme(const Real* values, int64_t n) {
    Real most = values ? Real(0.0) : Real(1.0);
    for (int64_t e = 0; e < n; ++e) {
      const Real size = std::abs(values[e]);
      if (!(size <= most)) most = size;
      if (std::isnan(most)) return most;
    }
    return most;
  }

  void note(int parameter, int64_t sample, int64_t count, Real value) {
    if (found_ && found_->sample <= sample) return;
    const Node* node = witness_.first ? witness_.first : witness_.current;
    found_ = Fault{sample, count, parameter, value, node ? node->name : "", node ? node->op : ""};
  }

  const PassWitness& witness_;
  const std::vector<int64_t>& sizes_;
  std::optional<Fault> found_;
};

}  // namespace

FaultJob::FaultJob(const Tape& tape, JobSettings settings) : Job(tape, std::move(settings)) {
  at_once_ = outputs_at_once();
  block_size_ = samples_per_block(at_once_);
}

std::optional<Want> FaultJob::next() {
  if (fault_ || at_ >= settings_.samples) return std::nullopt;
  const int64_t count = alone_ ? 1 : std::min(block_size_, settings_.samples - at_);
  return Want{0, at_, count, Passes::kReverse};
}

bool FaultJob::shrink(int64_t samples) {
  if (Job::shrink(samples)) return true;
  if (at_once_ <= 1) return false;
  at_once_ = (at_once_ + 1) / 2;
  return true;
}

void FaultJob::compute(const Frame& frame) {
  const std::vector<int64_t> sizes = parameter_sizes(frame);
  std::optional<Fault> found;
  blocks_of_outputs(settings_.outputs, at_once_, [&](const auto& outputs, int64_t) {
    PassWitness witness;
    FaultSink sink(witness, sizes);
    reverse_pass(tape_, frame, static_cast<int64_t>(outputs.size()),
                 unit_seed(tape_, frame, outputs, pool_), pool_, settings_.control, sink, &witness);
    if (!sink.found() || (found && found->sample <= sink.found()->sample)) return;
    found = sink.found();
    found->output = outputs[static_cast<size_t>(found->output)];
  });
  // A sample that comes out right alone is left: rounding at the very edge.
  alone_ = found && frame.samples > 1;
  if (!found) {
    at_ += frame.samples;
  } else if (alone_) {
    at_ += found->sample;
  } else {
    fault_ = found;
    fault_->sample = at_;
  }
}

std::vector<Record> FaultJob::report() const {
  if (!fault_) return {};
  return {{{"sample", fault_->sample},
           {"output", fault_->output},
           {"parameter", int64_t{fault_->parameter}},
           {"value", double{fault_->value}},
           {"node", fault_->node},
           {"op", fault_->op}}};
}

namespace {

const JobKind fault_kind("fault", [](JobRequest& request) -> std::unique_ptr<Job> {
  return std::make_unique<FaultJob>(request.tape, std::move(request.settings));
});

}  // namespace

}  // namespace AT_PRECISION
}  // namespace at
