#pragma once

#include "device/functions/scale.h"

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

// The windows along one axis that element i may lie in.
struct Reach {
  int first, last;
  AT_PORTABLE Reach(const WindowShape& shape, int axis, int i) {
    const int end = i + shape.pad[axis];
    const int begin = end - (shape.kernel[axis] - 1) * shape.dilation[axis];
    first = begin <= 0 ? 0 : (begin + shape.stride[axis] - 1) / shape.stride[axis];
    last = end / shape.stride[axis];
    if (last >= shape.out[axis]) last = shape.out[axis] - 1;
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

// visit(o, k) for every window o, counted through all axes, in whose element k input i lies.
template <class Visit>
AT_PORTABLE void over_windows(const WindowShape& shape, const Coordinates& i, Visit visit) {
  for (int kz = 0; kz < shape.kernel[0]; ++kz) {
    const int oz = shape.window(0, i.z, kz);
    if (oz < 0) continue;
    for (int ky = 0; ky < shape.kernel[1]; ++ky) {
      const int oy = shape.window(1, i.y, ky);
      if (oy < 0) continue;
      for (int kx = 0; kx < shape.kernel[2]; ++kx) {
        const int ox = shape.window(2, i.x, kx);
        if (ox < 0) continue;
        visit((oz * shape.out[1] + oy) * shape.out[2] + ox,
              (kz * shape.kernel[1] + ky) * shape.kernel[2] + kx);
      }
    }
  }
}

// visit(i) for every input i, counted through all axes, in window o.
template <class Visit>
AT_PORTABLE void over_inputs(const WindowShape& shape, const Coordinates& o, Visit visit) {
  for (int kz = 0; kz < shape.kernel[0]; ++kz) {
    const int z = shape.at(0, o.z, kz);
    if (z < 0 || z >= shape.in[0]) continue;
    for (int ky = 0; ky < shape.kernel[1]; ++ky) {
      const int y = shape.at(1, o.y, ky);
      if (y < 0 || y >= shape.in[1]) continue;
      for (int kx = 0; kx < shape.kernel[2]; ++kx) {
        const int x = shape.at(2, o.x, kx);
        if (x < 0 || x >= shape.in[2]) continue;
        visit((z * shape.in[1] + y) * shape.in[2] + x);
      }
    }
  }
}

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
      over_windows(shape, at, [&](int t, int k) { sum += patches[int64_t{t} * step + k]; });
      to[e] = sum;
    }
  };
  AT_PORTABLE Row row(int64_t r) const {
    const int64_t q = r % channels, image = r / channels % images, c = r / channels / images;
    return {from + ((image * positions * count + c) * size + q * (size / channels)),
            to + r * in_size, count * size, shape};
  }
};

// The element of its plane that every window takes: the first of the largest, −1 where there is
// none. Rows are planes, elements windows.
template <class T>
struct ChooseLargest {
  static constexpr int kBytes = 2 * sizeof(T);
  Ref<const T> from;
  Ref<int32_t> chosen;
  int64_t in_size, out_size;
  WindowShape shape;

  struct Row {
    const T* from;
    int32_t* chosen;
    WindowShape shape;
    AT_PORTABLE void operator()(int64_t e) const {
      const Coordinates o(static_cast<uint32_t>(e), shape.out_plane, shape.out_row);
      int32_t best = -1;
      over_inputs(shape, o, [&](int at) {
        if (best < 0 || from[at] > from[best]) best = at;
      });
      chosen[e] = best;
    }
  };
  AT_PORTABLE Row row(int64_t r) const {
    return {from + r * in_size, chosen + r * out_size, shape};
  }
};

// Windows over planes (count, planes, in…), each of which gives a number of (count, planes, out…):
// the element that it chose, or the sum of its elements times `weights` (period) of the window's
// and, where that is given, `own` (planes, in…) of the elements'. Rows are (count, plane).
template <class T>
struct PoolingWindows {
  static constexpr int kBytes = 3 * sizeof(T);
  Ref<const T> from;
  Ref<const int32_t> chosen;  // (planes, out…); none: by weights
  Ref<const T> weights;
  Ref<const T> own;
  Ref<T> to;
  int64_t planes, in_size, out_size, period;
  WindowShape shape;

  struct Plane {
    const T* from;
    const int32_t* chosen;
    const T* weights;
    const T* own;
    T* to;
    WindowShape shape;
  };
  AT_PORTABLE Plane plane_of(int64_t r, int64_t from_size, int64_t to_size) const {
    const int64_t p = r % planes;
    return {from + r * from_size,
            chosen.get() ? chosen + p * out_size : nullptr,
            weights.get() ? weights + p * out_size % period : nullptr,
            own.get() ? own + p * in_size : nullptr,
            to + r * to_size,
            shape};
  }
};

// to (count, planes, in…) = Σ over the windows that hold an element of what they get.
template <class T>
struct SpreadWindows : PoolingWindows<T> {
  struct Row {
    typename PoolingWindows<T>::Plane plane;
    AT_PORTABLE void operator()(int64_t e) const {
      const auto& [from, chosen, weights, own, to, shape] = plane;
      const Coordinates i(static_cast<uint32_t>(e), shape.in_plane, shape.in_row);
      const Reach z(shape, 0, i.z), y(shape, 1, i.y), x(shape, 2, i.x);
      T sum = 0;
      for (int oz = z.first; oz <= z.last; ++oz) {
        if (!holds(0, i.z, oz)) continue;
        for (int oy = y.first; oy <= y.last; ++oy) {
          if (!holds(1, i.y, oy)) continue;
          for (int ox = x.first; ox <= x.last; ++ox) {
            if (!holds(2, i.x, ox)) continue;
            const int o = (oz * shape.out[1] + oy) * shape.out[2] + ox;
            if (!chosen) {
              sum += flowing<false>(weights[o], from[o]);
            } else if (chosen[o] == static_cast<int32_t>(e)) {
              sum += from[o];
            }
          }
        }
      }
      to[e] = own ? flowing<false>(own[e], sum) : sum;
    }
    AT_PORTABLE bool holds(int axis, int i, int o) const {
      const WindowShape& s = plane.shape;
      return (i + s.pad[axis] - o * s.stride[axis]) % s.dilation[axis] == 0;
    }
  };
  AT_PORTABLE Row row(int64_t r) const {
    return {this->plane_of(r, this->out_size, this->in_size)};
  }
};

// The adjoint: to (count, planes, out…) = what the windows give.
template <class T>
struct GatherWindows : PoolingWindows<T> {
  struct Row {
    typename PoolingWindows<T>::Plane plane;
    AT_PORTABLE void operator()(int64_t e) const {
      const auto& [from, chosen, weights, own, to, shape] = plane;
      if (chosen) {
        to[e] = chosen[e] < 0 ? T(0) : from[chosen[e]];
        return;
      }
      const Coordinates o(static_cast<uint32_t>(e), shape.out_plane, shape.out_row);
      T sum = 0;
      over_inputs(shape, o, [&](int at) {
        sum += plane.own ? flowing<false>(plane.own[at], plane.from[at]) : plane.from[at];
      });
      to[e] = flowing<false>(weights[e], sum);
    }
  };
  AT_PORTABLE Row row(int64_t r) const {
    return {this->plane_of(r, this->in_size, this->out_size)};
  }
};

// SumPatches of patches that are not there: of a convolution with few output channels m in each of
// its groups, to (count, images, groups·channels, in…) from (count, images, groups·m, out…) and
// weights (groups·m, channels·kernel). Rows are (count·images, group, channel).
template <class T>
struct SpreadKernels {
  static constexpr int kBytes = 2 * sizeof(T);
  Ref<const T> from;
  Ref<const T> weights;
  Ref<T> to;
  int64_t groups, m, channels, in_size, out_size, kernel_size;
  WindowShape shape;

  struct Row {
    const T* from;
    const T* weights;
    T* to;
    int64_t m, out_size, step;  // from weight to weight
    WindowShape shape;
    AT_PORTABLE void operator()(int64_t e) const {
      const Coordinates i(static_cast<uint32_t>(e), shape.in_plane, shape.in_row);
      T sum = 0;
      over_windows(shape, i, [&](int o, int k) {
        for (int64_t j = 0; j < m; ++j) sum += weights[j * step + k] * from[j * out_size + o];
      });
      to[e] = sum;
    }
  };
  AT_PORTABLE Row row(int64_t r) const {
    const int64_t q = r % channels, image_group = r / channels, g = image_group % groups;
    return {from + image_group * m * out_size,
            weights + (g * m * channels + q) * kernel_size,
            to + r * in_size,
            m,
            out_size,
            channels * kernel_size,
            shape};
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
