#pragma once

#include "device/pointer.h"

namespace at::device {

// A sliding window over three spatial axes, as rules/support/windows.h has it, in 32 bits.
struct WindowShape {
  int in[3], out[3], kernel[3], stride[3], dilation[3], pad[3];
  // By elements of the kernel, of its planes, of its rows, and of the same of inputs and outputs.
  Divider kernel_size, kernel_plane, kernel_row, in_plane, in_row, out_plane, out_row;
  AT_PORTABLE int at(int axis, int o, int k) const {
    return o * stride[axis] + k * dilation[axis] - pad[axis];
  }
  // The window along one axis in which kernel element k lies on input i; -1: none does.
  AT_PORTABLE int window(int axis, int i, int k) const {
    const int offset = i + pad[axis] - k * dilation[axis];
    if (offset < 0 || offset % stride[axis] != 0) return -1;
    const int o = offset / stride[axis];
    return o < out[axis] ? o : -1;
  }
};

// Three coordinates of element e of an array whose planes and rows are divided by.
struct Coordinates {
  int z, y, x;
  AT_PORTABLE Coordinates(uint32_t e, const Divider& plane, const Divider& row) {
    const uint32_t rest = plane.remainder(e);
    z = static_cast<int>(plane.quotient(e));
    y = static_cast<int>(row.quotient(rest));
    x = static_cast<int>(row.remainder(rest));
  }
};

// to (images, positions, channels·kernel) = the patches of from (images, channels, in…), 0 outside.
// Rows are (image, position).
template <class T>
struct Patches {
  static constexpr int kBytes = 2 * sizeof(T);
  Ref<const T> from;
  Ref<T> to;
  int64_t channels, positions, in_size, size;
  WindowShape shape;

  struct Row {
    const T* image;
    T* to;
    int64_t in_size;
    WindowShape shape;
    Coordinates o;
    AT_PORTABLE void operator()(int64_t e) const {
      const auto index = static_cast<uint32_t>(e);
      const uint32_t q = shape.kernel_size.quotient(index);
      const Coordinates k(shape.kernel_size.remainder(index), shape.kernel_plane, shape.kernel_row);
      const int z = shape.at(0, o.z, k.z), y = shape.at(1, o.y, k.y), x = shape.at(2, o.x, k.x);
      const bool inside =
          z >= 0 && z < shape.in[0] && y >= 0 && y < shape.in[1] && x >= 0 && x < shape.in[2];
      to[e] = inside ? image[q * in_size + (z * shape.in[1] + y) * shape.in[2] + x] : T(0);
    }
  };
  AT_PORTABLE Row row(int64_t r) const {
    const int64_t image = r / positions, t = r % positions;
    return {from + image * channels * in_size, to + r * size, in_size, shape,
            Coordinates(static_cast<uint32_t>(t), shape.out_plane, shape.out_row)};
  }
};

// The adjoint: to (count, images, channels, in…) = Σ of the patches (images, positions, count,
// channels·kernel) over the windows that hold an element. Rows are (count, image, channel).
template <class T>
struct SumPatches {
  // Each number of the patches is read once; there are about as many for each element.
  static constexpr int kBytes = 2 * sizeof(T);
  Ref<const T> from;
  Ref<T> to;
  int64_t count, images, channels, positions, in_size, size;
  WindowShape shape;

  struct Row {
    const T* patches;
    T* to;
    int64_t step;  // from position to position
    WindowShape shape;
    AT_PORTABLE void operator()(int64_t e) const {
      const Coordinates at(static_cast<uint32_t>(e), shape.in_plane, shape.in_row);
      T sum = 0;
      for (int kz = 0; kz < shape.kernel[0]; ++kz) {
        const int oz = shape.window(0, at.z, kz);
        if (oz < 0) continue;
        for (int ky = 0; ky < shape.kernel[1]; ++ky) {
          const int oy = shape.window(1, at.y, ky);
          if (oy < 0) continue;
          for (int kx = 0; kx < shape.kernel[2]; ++kx) {
            const int ox = shape.window(2, at.x, kx);
            if (ox < 0) continue;
            const int64_t t = (int64_t{oz} * shape.out[1] + oy) * shape.out[2] + ox;
            sum += patches[t * step + (kz * shape.kernel[1] + ky) * shape.kernel[2] + kx];
          }
        }
      }
      to[e] = sum;
    }
  };
  AT_PORTABLE Row row(int64_t r) const {
    const int64_t q = r % channels, image = r / channels % images, c = r / channels / images;
    return {from + ((image * positions * count + c) * size + q * (size / channels)),
            to + r * in_size, count * size, shape};
  }
};

// to (images, positions, count, rows) = from (count, images, rows, positions). Rows are (image,
// position, count).
template <class T>
struct ByPosition {
  static constexpr int kBytes = 2 * sizeof(T);
  Ref<const T> from;
  Ref<T> to;
  int64_t count, images, rows, positions;

  struct Row {
    const T* from;
    T* to;
    int64_t positions;
    AT_PORTABLE void operator()(int64_t e) const { to[e] = from[e * positions]; }
  };
  AT_PORTABLE Row row(int64_t r) const {
    const int64_t c = r % count, t = r / count % positions, image = r / count / positions;
    return {from + ((c * images + image) * rows * positions + t), to + r * rows, positions};
  }
};

}  // namespace at::device
