#pragma once

#include <vector>

#include "core/buffer.h"
#include "core/control.h"
#include "graph/tape.h"
#include "reverse/sink.h"

namespace at {
inline namespace AT_PRECISION {

// Watches a pass for numbers that are not finite.
struct PassWitness {
  const Node* current = nullptr;  // the node whose turn it is
  // The first whose outputs' cotangents are finite while those of its inputs are not.
  const Node* first = nullptr;
};

// Carries C cotangents of the output, `seed` (C, output's shape…), back to every parameter.
// Uses the threads of the surrounding arena; scratch comes from `pool`.
void reverse_pass(const Tape& tape, const Frame& frame, int64_t count, std::shared_ptr<Real> seed,
                  Pool& pool, const Control& control, FeatureSink& sink,
                  PassWitness* witness = nullptr);

// Outputs of one sample: the elements of the output without the batch axis.
int64_t outputs_per_sample(const Activation& output, int64_t samples);

// body(i, o, e) for every sample i and every o of the `outputs` wanted (flat indices within a
// sample, in row-major order of what is left without the batch axis): e is its element of the
// output.
template <class Body>
void each_output(const Activation& output, int64_t samples, const std::vector<int64_t>& outputs,
                 const Body& body) {
  const int64_t stride = output.batch_stride, count = static_cast<int64_t>(outputs.size());
  for (int64_t o = 0; o < count; ++o) {
    const int64_t first = outputs[o] / stride * (stride * samples) + outputs[o] % stride;
    for (int64_t i = 0; i < samples; ++i) body(i, o, first + i * stride);
  }
}

// Seed with cotangent c equal to 1 at output `outputs[c]` of every sample: (C, output's shape…).
std::shared_ptr<Real> unit_seed(const Tape& tape, const Frame& frame,
                                const std::vector<int64_t>& outputs, Pool& pool);
// Seed with cotangent c equal to weights[i, o, c] at output `outputs[o]` of sample i;
// weights (n, outputs.size(), count).
std::shared_ptr<Real> weighted_seed(const Tape& tape, const Frame& frame,
                                    const std::vector<int64_t>& outputs, int64_t count,
                                    const Real* weights, Pool& pool);

}  // namespace AT_PRECISION
}  // namespace at
