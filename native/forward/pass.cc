#include "forward/pass.h"

#include <algorithm>
#include <stdexcept>

#include "forward/call.h"
#include "reverse/pass.h"

namespace at {

std::shared_ptr<float> forward_pass(const Tape& tape, const Frame& frame, int64_t count,
                                    const std::vector<const float*>& directions, Pool& pool,
                                    const Control& control) {
  std::vector<std::shared_ptr<float>> tangents(tape.values.size());
  std::vector<int> uses(tape.values.size(), 0);
  for (const Node& node : tape.nodes)
    for (int id : node.inputs)
      if (id >= 0) ++uses[id];
  ++uses[tape.output];
  for (size_t p = 0; p < tape.parameters.size(); ++p) {
    const int id = tape.parameters[p];
    // Not ours: one use more than there are keeps it from being overwritten.
    ++uses[id];
    tangents[id] = std::shared_ptr<float>(const_cast<float*>(directions[p]), [](float*) {});
    if (!directions[p]) tangents[id] = nullptr;
  }
  for (const Node& node : tape.nodes) {
    control.poll();
    std::vector<std::shared_ptr<float>> in(node.inputs.size());
    bool any = false;
    for (size_t k = 0; k < node.inputs.size(); ++k) {
      const int id = node.inputs[k];
      if (id < 0) continue;
      const int ki = static_cast<int>(k);
      // As in analyse(): a parameter in a constant's role is a constant there.
      const bool constant = tape.values[id].parameter >= 0 && node.rule->constant_role(node, ki);
      if (tape.values[id].active && node.rule->differentiable(node, ki) && !constant)
        in[k] = tangents[id];
      any = any || in[k];
      if (--uses[id] == 0) tangents[id] = nullptr;
    }
    if (!any) continue;
    NodeTangents call(tape, frame, node, count, std::move(in), pool, control);
    node.rule->forward(call);
    auto& produced = call.produced();
    for (size_t j = 0; j < node.outputs.size(); ++j) {
      const int id = node.outputs[j];
      if (!call.wants(static_cast<int>(j))) continue;
      if (!produced[j])
        throw std::logic_error("the rule of " + node.op + " left output " + std::to_string(j) +
                               " without a tangent");
      if (uses[id] > 0) tangents[id] = std::move(produced[j]);
    }
  }
  return tangents[tape.output];
}

void read_tangent(const Tape& tape, const Frame& frame, const std::vector<int64_t>& outputs,
                  int64_t count, const float* tangent, float* result) {
  const Activation& output = frame.values[tape.output];
  const auto picked = static_cast<int64_t>(outputs.size());
  if (!tangent) {
    std::fill(result, result + frame.samples * picked * count, 0.0f);
    return;
  }
  std::vector<std::vector<int64_t>> places(
      static_cast<size_t>(outputs_per_sample(output, frame.samples)));
  for (int64_t o = 0; o < picked; ++o) places[static_cast<size_t>(outputs[o])].push_back(o);
  const int64_t size = output.size();
  for (int64_t e = 0; e < size; ++e) {
    const int64_t sample = e / output.batch_stride % frame.samples;
    for (int64_t o : places[static_cast<size_t>(output_index(output, frame.samples, e))])
      for (int64_t d = 0; d < count; ++d)
        result[(sample * picked + o) * count + d] = tangent[d * size + e];
  }
}

}  // namespace at
