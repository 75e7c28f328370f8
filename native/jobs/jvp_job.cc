#include "jobs/jvp_job.h"

#include "jobs/jobs.h"
#include "reverse/pass.h"

namespace at {
inline namespace AT_PRECISION {

JvpJob::JvpJob(const Tape& tape, JobSettings settings, int64_t columns,
               std::vector<const Real*> directions, Real* result)
    : SweepJob(tape, std::move(settings), columns, Passes::kForward),
      columns_(columns),
      tangents_(tape, columns, std::move(directions)),
      result_(result) {}

void JvpJob::follow(std::vector<DeviceNumbers> directions) {
  tangents_.follow(std::make_unique<DeviceDirections>(settings_.stream, std::move(directions)));
}

void JvpJob::block(const Frame& frame) {
  const auto picked = static_cast<int64_t>(settings_.outputs.size());
  tangents_.bring(frame, settings_, pool_, result_ + at_ * picked * columns_);
}

namespace {

const JobKind jvp("jvp", [](JobRequest& request) -> std::unique_ptr<Job> {
  const int64_t columns = request.columns();
  auto directions = request.directions(request.options.arrays("directions"), columns);
  Real* result = request.result(0, request.image_size(columns));
  return std::make_unique<JvpJob>(request.tape, std::move(request.settings), columns,
                                  std::move(directions), result);
});

}  // namespace

}  // namespace AT_PRECISION
}  // namespace at
