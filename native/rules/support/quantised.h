#pragma once

#include <memory>

#include "rules/rule.h"

namespace at {

// Why nothing flows through quantised numbers.
inline std::unique_ptr<Rule::Refusal> quantised_refusal() {
  return std::make_unique<Rule::Refusal>(
      Rule::Refusal{"it computes with quantised numbers, which have no derivative",
                    "use the network as it was before quantisation, or choose the float "
                    "parameters that are wanted by parameters"});
}

}  // namespace at
