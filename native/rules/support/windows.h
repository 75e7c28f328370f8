#pragma once

#include <cstdint>

#include "graph/tape.h"

namespace at {
inline namespace AT_PRECISION {

// Of (batch, channels, spatial…).
inline Shape spatial(const Shape& shape) { return Shape(shape.begin() + 2, shape.end()); }

// The geometry of a sliding window over up to three spatial axes, written as three (the leading
// ones of size 1).
struct Windows {
  int64_t in[3] = {1, 1, 1};
  int64_t out[3] = {1, 1, 1};
  int64_t kernel[3] = {1, 1, 1};
  int64_t stride[3] = {1, 1, 1};
  int64_t dilation[3] = {1, 1, 1};
  int64_t pad[3] = {0, 0, 0};      // before
  int64_t pad_end[3] = {0, 0, 0};  // after

  // From a node's strides, dilations, pads and auto_pad; `in`, `out` and `kernel` are spatial
  // shapes.
  Windows(const Node& node, const Shape& in_shape, const Shape& out_shape,
          const Shape& kernel_shape);

  int64_t in_size() const { return in[0] * in[1] * in[2]; }
  int64_t out_size() const { return out[0] * out[1] * out[2]; }
  int64_t kernel_size() const { return kernel[0] * kernel[1] * kernel[2]; }
  int64_t rows() const { return out[0] * out[1]; }
  // Those of the adjoint, where every stride is 1.
  Windows turned() const;
  // Every window is one element and windows list the input in order.
  bool pointwise() const;

  // Input coordinate of kernel element k in window o, along one axis.
  int64_t at(int axis, int64_t o, int64_t k) const {
    return o * stride[axis] + k * dilation[axis] - pad[axis];
  }
  // body(row) for the input's rows z·in[1] + y on which the windows (oz, oy, ·) have a row of the
  // kernel, in its order.
  template <class Body>
  void each_row(int64_t oz, int64_t oy, const Body& body) const {
    for (int64_t kz = 0; kz < kernel[0]; ++kz) {
      const int64_t z = at(0, oz, kz);
      if (z < 0 || z >= in[0]) continue;
      for (int64_t ky = 0; ky < kernel[1]; ++ky) {
        const int64_t y = at(1, oy, ky);
        if (y >= 0 && y < in[1]) body(z * in[1] + y);
      }
    }
  }
  // Windows [lo, hi) of an axis in which kernel element k lies inside the input.
  void inside(int axis, int64_t k, int64_t& lo, int64_t& hi) const;
};

// Whole rows [r0, r1) of an output, or columns [o0, o1) of a single row.
struct Part {
  int64_t r0, r1, o0, o1;
  int64_t length() const { return (r1 - r0) * (o1 - o0); }
};

// An output in parts of about so many positions, in order.
class Parts {
 public:
  Parts(const Windows& w, int64_t positions);
  int64_t count() const { return row_pieces_ * column_pieces_; }
  int64_t longest() const { return height_ * width_; }
  Part operator[](int64_t index) const;
  // Where a part begins in the output.
  int64_t start(const Part& part) const { return part.r0 * columns_ + part.o0; }

 private:
  int64_t rows_, columns_, height_, width_, row_pieces_, column_pieces_;
};

// cols (channels·kernel, part.length()) = the patches of x (channels, in…) at a part of the output,
// zero outside x; `ld` is the distance between rows of cols.
void im2col(const Windows& w, int64_t channels, const Real* x, const Part& part, Real* cols,
            int64_t ld);
// The adjoint: adds cols into x.
void col2im(const Windows& w, int64_t channels, const Real* cols, int64_t ld, int64_t r0,
            int64_t r1, Real* x);
// patches (positions, channels·kernel), one patch after another at distance `ld`.
void im2row(const Windows& w, int64_t channels, const Real* x, Real* patches, int64_t ld);
// One of them, and the adjoint of that: adds it into x.
void patch_at(const Windows& w, int64_t channels, const Real* x, int64_t position, Real* patch);
void add_patch_at(const Windows& w, int64_t channels, const Real* patch, int64_t position, Real* x);

}  // namespace AT_PRECISION
}  // namespace at
