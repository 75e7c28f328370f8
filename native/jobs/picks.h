#pragma once

#include <memory>
#include <vector>

#include "jobs/block.h"
#include "reverse/sink.h"

namespace at {
inline namespace AT_PRECISION {

// All uses of one weight that pick its rows, as one: what picks a row twice for a sample is added.
std::shared_ptr<const Picks> merge_picks(const std::vector<MatrixUse>& uses, Pool& pool);

}  // namespace AT_PRECISION
}  // namespace at
