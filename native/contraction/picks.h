#pragma once

#include <memory>
#include <vector>

#include "contraction/term.h"

namespace at {
inline namespace AT_PRECISION {

// All uses of one weight that pick its rows, as one: what picks a row twice for a sample is added.
std::shared_ptr<const Picks> merge_picks(const std::vector<MatrixUse>& uses, Pool& pool);

// Adds what the picked rows of both sides have in common and, where there are factors beside them,
// the products of picked rows with those. One thread.
void add_picked(const Tile& tile, Pool& pool, const Control& control);

}  // namespace AT_PRECISION
}  // namespace at
