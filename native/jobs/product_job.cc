#include "jobs/product_job.h"

#include <algorithm>

#include "device/stream.h"
#include "jobs/jobs.h"

namespace at {
inline namespace AT_PRECISION {

ProductJob::ProductJob(const Tape& tape, JobSettings settings, int64_t columns, const Real* vectors,
                       const std::vector<int64_t>& sizes, Real* result)
    : Job(tape, std::move(settings)) {
  std::vector<Real*> direction;
  std::vector<const Real*> fixed;
  // On a device they stay there.
  for (int64_t size : settings_.stream ? std::vector<int64_t>() : sizes) {
    direction_.push_back(pool_.take<Real>(checked_mul(columns, size)));
    direction.push_back(direction_.back().get());
    fixed.push_back(direction_.back().get());
  }
  JobSettings rest = settings_;
  rest.memory -= pool_.live_bytes();  // within the budget: the pool has seen to that
  gradient_ = std::make_unique<GradientJob>(tape, rest, columns, vectors, direction);
  forward_ = std::make_unique<JvpJob>(tape, rest, columns, std::move(fixed), result);
}

// Both passes ask for the same blocks: one forward run serves both where the caller keeps it.
std::optional<Want> ProductJob::next() {
  auto want = gradient_ ? gradient_->next() : forward_->next();
  if (want) want->passes = Passes::kBoth;
  return want;
}

void ProductJob::compute(const Frame& frame) {
  if (!gradient_) return forward_->feed(frame);
  gradient_->feed(frame);
  gradient_peak_ = gradient_->peak_bytes();
  if (gradient_->next()) return;
  if (settings_.stream) {
    forward_->follow(gradient_->on_device());
    settings_.stream->synchronise();
  }
  gradient_.reset();
}

size_t ProductJob::peak_bytes() const {
  return pool_.peak_bytes() + std::max(gradient_peak_, forward_->peak_bytes());
}

namespace {

const JobKind product("product", [](JobRequest& request) -> std::unique_ptr<Job> {
  const int64_t columns = request.columns();
  const int64_t count = request.image_size(columns);
  const Real* vectors = request.options.reals("vectors", count);
  Real* result = request.result(0, count);
  return std::make_unique<ProductJob>(request.tape, std::move(request.settings), columns, vectors,
                                      request.sizes, result);
});

}  // namespace

}  // namespace AT_PRECISION
}  // namespace at
