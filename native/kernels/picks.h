#pragma once

#include "kernels/add_tile.h"

namespace at::kernels {

// Adds what the picked rows of both sides have in common and, where there are factors with them,
// the products of picked rows with those. One thread.
template <class Number>
void add_picked(const TileTask<Number>& task, Pool& pool, const Control& control);

}  // namespace at::kernels
