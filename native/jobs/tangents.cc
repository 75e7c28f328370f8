#include "jobs/tangents.h"

#include "forward/pass.h"
#include "jobs/jobs.h"

namespace at {
inline namespace AT_PRECISION {

OutputTangent TangentsOf::pass(const Frame& frame, const JobSettings& settings, Pool& pool) {
  if (!settings.stream)
    return {forward_pass(tape_, frame, count_, given_, pool, settings.control), {}};
  if (!there_)
    there_ =
        std::make_unique<DeviceDirections>(settings.stream, given_, parameter_sizes(tape_), count_);
  return forward_pass_on_device(tape_, frame, count_, *there_, pool, settings.control,
                                *settings.stream, *settings.values);
}

void TangentsOf::read(const Frame& frame, const JobSettings& settings, Pool& pool, Real* result) {
  const OutputTangent tangent = pass(frame, settings, pool);
  if (tangent.there) settings.stream->synchronise();
  read_tangent(frame.values[tape_.output], frame.samples, settings.outputs, count_,
               tangent.here.get(), result);
}

void TangentsOf::bring(const Frame& frame, const JobSettings& settings, Pool& pool, Real* result) {
  const OutputTangent tangent = pass(frame, settings, pool);
  const auto write = [=, output = frame.values[tape_.output], samples = frame.samples,
                      outputs = settings.outputs, here = tangent.here, count = count_] {
    read_tangent(output, samples, outputs, count, here.get(), result);
  };
  if (tangent.there)
    settings.pending->then(write, tangent.there);
  else
    write();
}

}  // namespace AT_PRECISION
}  // namespace at
