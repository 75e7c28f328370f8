#pragma once

#include <memory>

#include "rules/rule.h"

namespace at {
inline namespace AT_PRECISION {

// Why nothing flows through quantised numbers.
inline std::unique_ptr<Rule::Refusal> quantised_refusal() {
  return std::make_unique<Rule::Refusal>(
      Rule::Refusal{"it computes with quantised numbers, which have no derivative",
                    "use the network as it was before quantisation, or choose the Real "
                    "parameters that are wanted by parameters"});
}

}  // namespace AT_PRECISION
}  // namespace at
