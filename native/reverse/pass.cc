#include "reverse/pass.h"

#include <cstring>

#include "reverse/pass_steps.h"

namespace at {
inline namespace AT_PRECISION {

void reverse_pass(const Tape& tape, const Frame& frame, int64_t count, std::shared_ptr<Real> seed,
                  Pool& pool, const Control& control, FeatureSink& sink, PassWitness* witness) {
  Pass(tape, frame, count, pool, control, sink, witness).run(std::move(seed));
}

int64_t outputs_per_sample(const Activation& output, int64_t samples) {
  return output.size() / samples;
}

std::shared_ptr<Real> unit_seed(const Tape& tape, const Frame& frame,
                                const std::vector<int64_t>& outputs, Pool& pool) {
  const Activation& output = frame.values[tape.output];
  const int64_t size = output.size();
  const auto count = static_cast<int64_t>(outputs.size());
  auto seed = pool.take<Real>(checked_mul(count, size));
  std::memset(seed.get(), 0, static_cast<size_t>(count * size) * sizeof(Real));
  each_output(output, frame.samples, outputs,
              [&](int64_t, int64_t c, int64_t e) { seed.get()[c * size + e] = 1; });
  return seed;
}

std::shared_ptr<Real> weighted_seed(const Tape& tape, const Frame& frame,
                                    const std::vector<int64_t>& outputs, int64_t count,
                                    const Real* weights, Pool& pool) {
  const Activation& output = frame.values[tape.output];
  const int64_t size = output.size();
  const auto picked = static_cast<int64_t>(outputs.size());
  auto seed = pool.take<Real>(checked_mul(count, size));
  std::memset(seed.get(), 0, static_cast<size_t>(count * size) * sizeof(Real));
  each_output(output, frame.samples, outputs, [&](int64_t i, int64_t o, int64_t e) {
    for (int64_t c = 0; c < count; ++c)
      seed.get()[c * size + e] += weights[(i * picked + o) * count + c];
  });
  return seed;
}

}  // namespace AT_PRECISION
}  // namespace at
