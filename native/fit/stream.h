#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>

#include "core/control.h"
#include "fit/features.h"
#include "fit/transform.h"
#include "kernels/triangle.h"

namespace at::fit {

// Takes a few columns of an explicit feature matrix: x (rows, width).
using Sink = std::function<void(const double* x, int64_t width)>;

// The columns of the transformed features M(X_r), a bounded number at a time.
void stream_transformed(const Features& features, const Transform& transform,
                        const Control& control, const Sink& sink);

// Columns whose inner products add up to those of M(X) less those of X, for a transform of left and
// right: with M = I + low rank they are few (METHOD.md section 3).
void stream_update(const Features& features, const Transform& transform, const Control& control,
                   const Sink& sink);

// Columns that stream_update makes.
int64_t update_width(const Features& features, const Transform& transform);

// Is that cheaper than all columns, where the kernel of X is kept?
bool update_pays(const Features& features, const Transform& transform);

// Bytes of the columns that are there at once while such features are streamed.
size_t stream_bytes(const Features& features);

// Adds x xᵀ, x (rows, width), to the lower triangle kept in `target`.
void add_products(const double* x, int64_t width, const kernels::Triangle<double>& target);

}  // namespace at::fit
