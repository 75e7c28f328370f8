#include "jobs/tangents.h"

#include "forward/pass.h"
#include "jobs/jobs.h"

namespace at {
inline namespace AT_PRECISION {

void TangentsOf::read(const Frame& frame, const JobSettings& settings, Pool& pool, Real* result) {
  std::shared_ptr<Real> tangent;
  if (settings.stream) {
    if (!there_)
      there_ = std::make_unique<DeviceDirections>(settings.stream, given_, parameter_sizes(tape_),
                                                  count_);
    tangent = forward_pass_on_device(tape_, frame, count_, *there_, pool, settings.control,
                                     *settings.stream, *settings.values);
  } else {
    tangent = forward_pass(tape_, frame, count_, given_, pool, settings.control);
  }
  read_tangent(tape_, frame, settings.outputs, count_, tangent.get(), result);
}

}  // namespace AT_PRECISION
}  // namespace at
