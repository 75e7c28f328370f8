#include "rules/support/windows.h"

#include <algorithm>
#include <cstring>
#include <string>
#include <type_traits>

#include "core/error.h"

namespace at {
inline namespace AT_PRECISION {

Windows::Windows(const Node& node, const Shape& in_shape, const Shape& out_shape,
                 const Shape& kernel_shape) {
  const int rank = static_cast<int>(kernel_shape.size());
  if (rank > 3) throw Error("UNSUPPORTED", "Node " + node.name + " has more than 3 spatial axes");
  const int lead = 3 - rank;
  const Attributes& attributes = node.attributes;
  const auto strides = attributes.integers("strides", Shape(rank, 1));
  const auto dilations = attributes.integers("dilations", Shape(rank, 1));
  const auto pads = attributes.integers("pads", Shape(2 * rank, 0));
  const std::string automatic = attributes.text("auto_pad", "NOTSET");
  for (int a = 0; a < rank; ++a) {
    in[lead + a] = in_shape[a];
    out[lead + a] = out_shape[a];
    kernel[lead + a] = kernel_shape[a];
    stride[lead + a] = strides[a];
    dilation[lead + a] = dilations[a];
    if (automatic == "NOTSET" || automatic.empty()) {
      pad[lead + a] = pads[a];
      pad_end[lead + a] = pads[rank + a];
    } else if (automatic != "VALID") {
      const int64_t reach =
          (out_shape[a] - 1) * strides[a] + (kernel_shape[a] - 1) * dilations[a] + 1;
      const int64_t total = std::max<int64_t>(reach - in_shape[a], 0);
      pad[lead + a] = automatic == "SAME_UPPER" ? total / 2 : (total + 1) / 2;
      pad_end[lead + a] = total - pad[lead + a];
    }
  }
}

Windows Windows::turned() const {
  Windows result = *this;
  for (int a = 0; a < 3; ++a) {
    result.in[a] = out[a];
    result.out[a] = in[a];
    result.pad[a] = (kernel[a] - 1) * dilation[a] - pad[a];
    result.pad_end[a] = (kernel[a] - 1) * dilation[a] - pad_end[a];
  }
  return result;
}

bool Windows::pointwise() const {
  for (int a = 0; a < 3; ++a)
    if (kernel[a] != 1 || stride[a] != 1 || pad[a] != 0 || in[a] != out[a]) return false;
  return true;
}

void Windows::inside(int axis, int64_t k, int64_t& lo, int64_t& hi) const {
  const int64_t step = stride[axis], windows = out[axis];
  const int64_t offset = pad[axis] - k * dilation[axis];  // o·stride ≥ offset is inside
  lo = offset > 0 ? (offset + step - 1) / step : 0;
  const int64_t end = in[axis] + offset;  // o·stride < end
  hi = end > 0 ? std::min(windows, (end + step - 1) / step) : 0;
  lo = std::min(lo, windows);
  hi = std::max(hi, lo);
}

namespace {

// body(row of cols, output row, x's row or −1, lo, hi) for every kernel element and output row.
template <class Body>
void each_row(const Windows& w, int64_t channels, int64_t r0, int64_t r1, const Body& body) {
  int64_t k = 0;
  for (int64_t q = 0; q < channels; ++q) {
    for (int64_t kz = 0; kz < w.kernel[0]; ++kz) {
      for (int64_t ky = 0; ky < w.kernel[1]; ++ky) {
        for (int64_t kx = 0; kx < w.kernel[2]; ++kx, ++k) {
          int64_t lo, hi;
          w.inside(2, kx, lo, hi);
          const int64_t shift = kx * w.dilation[2] - w.pad[2];
          int64_t oz = r0 / w.out[1], oy = r0 % w.out[1];
          for (int64_t r = r0; r < r1; ++r) {
            const int64_t z = w.at(0, oz, kz), y = w.at(1, oy, ky);
            if (++oy == w.out[1]) {
              oy = 0;
              ++oz;
            }
            const bool in = z >= 0 && z < w.in[0] && y >= 0 && y < w.in[1];
            const int64_t row = in ? ((q * w.in[0] + z) * w.in[1] + y) * w.in[2] + shift : 0;
            body(k, r - r0, in, row, lo, hi);
          }
        }
      }
    }
  }
}

}  // namespace

Parts::Parts(const Windows& w, int64_t positions)
    : rows_(w.rows()),
      columns_(w.out[2]),
      height_(std::clamp<int64_t>(positions / std::max<int64_t>(1, columns_), 1, rows_)),
      width_(columns_) {
  if (height_ == 1 && columns_ > positions) {
    const int64_t pieces = (columns_ + positions - 1) / positions;
    width_ = (columns_ + pieces - 1) / pieces;
  }
  row_pieces_ = (rows_ + height_ - 1) / height_;
  column_pieces_ = width_ > 0 ? (columns_ + width_ - 1) / width_ : 0;
}

Part Parts::operator[](int64_t index) const {
  const int64_t r = index / column_pieces_ * height_, o = index % column_pieces_ * width_;
  return {r, std::min(rows_, r + height_), o, std::min(columns_, o + width_)};
}

void im2col(const Windows& w, int64_t channels, const Real* x, const Part& part, Real* cols,
            int64_t ld) {
  const int64_t o0 = part.o0, o1 = part.o1, width = o1 - o0, step = w.stride[2];
  each_row(w, channels, part.r0, part.r1,
           [&](int64_t k, int64_t r, bool in, int64_t row, int64_t first, int64_t last) {
             Real* to = cols + k * ld + r * width;
             if (!in) {
               std::fill(to, to + width, Real(0.0));
               return;
             }
             const int64_t lo = std::clamp(first, o0, o1), hi = std::clamp(last, lo, o1);
             std::fill(to, to + (lo - o0), Real(0.0));
             const Real* from = x + row + lo * step;
             Real* inside = to + (lo - o0);
             if (step == 1) {
               if (hi > lo) std::memcpy(inside, from, sizeof(Real) * (hi - lo));
             } else {
               for (int64_t o = 0; o < hi - lo; ++o) inside[o] = from[o * step];
             }
             std::fill(to + (hi - o0), to + width, Real(0.0));
           });
}

void col2im(const Windows& w, int64_t channels, const Real* cols, int64_t ld, int64_t r0,
            int64_t r1, Real* x) {
  const int64_t width = w.out[2], height = w.out[1], step = w.stride[2];
  const int64_t jump = w.stride[1] * w.in[2];
  const auto add = [&](int64_t q, int64_t kz, int64_t ky, int64_t kx, const Real* cells) {
    int64_t top, bottom, lo, hi;
    w.inside(1, ky, top, bottom);
    w.inside(2, kx, lo, hi);
    for (int64_t oz = r0 / height; oz * height < r1; ++oz) {
      const int64_t z = w.at(0, oz, kz);
      const int64_t first = std::max(top, r0 - oz * height);
      const int64_t last = std::min(bottom, r1 - oz * height);
      if (z < 0 || z >= w.in[0] || first >= last) continue;
      const Real* from = cells + (oz * height + first - r0) * width;
      Real* to = x + ((q * w.in[0] + z) * w.in[1] + w.at(1, first, ky)) * w.in[2] + w.at(2, 0, kx);
      if (step == 1 && jump == width && lo == 0 && hi == width) {
        // Rows that follow one another on both sides.
        for (int64_t e = 0; e < (last - first) * width; ++e) to[e] += from[e];
        continue;
      }
      for (int64_t oy = first; oy < last; ++oy, from += width, to += jump) {
        if (step == 1) {
          for (int64_t o = lo; o < hi; ++o) to[o] += from[o];
        } else {
          for (int64_t o = lo; o < hi; ++o) to[o * step] += from[o];
        }
      }
    }
  };
  for (int64_t q = 0; q < channels; ++q)
    for (int64_t kz = 0; kz < w.kernel[0]; ++kz)
      for (int64_t ky = 0; ky < w.kernel[1]; ++ky)
        for (int64_t kx = 0; kx < w.kernel[2]; ++kx, cols += ld) add(q, kz, ky, kx, cols);
}

// As a kernel's row has numbers: for most a loop, or a call of memcpy, takes longer than the move.
static void copy_few(const Real* from, int64_t count, Real* to) {
  switch (count) {
    case 1:
      to[0] = from[0];
      return;
    case 2:
      std::memcpy(to, from, 2 * sizeof(Real));
      return;
    case 3:
      std::memcpy(to, from, 3 * sizeof(Real));
      return;
    case 4:
      std::memcpy(to, from, 4 * sizeof(Real));
      return;
    default:
      for (int64_t k = 0; k < count; ++k) to[k] = from[k];
  }
}

// Where a window's rows lie: body(x's element under the row's first, cell, first, last) for every
// channel and row of the kernel, of which elements [first, last) lie inside; none where the row
// does not.
template <class Body>
static void each_row_at(const Windows& w, int64_t channels, int64_t position, const Body& body) {
  const int64_t columns = w.kernel[2], plane = w.in_size(), step = w.dilation[2];
  const int64_t oz = position / w.out[2] / w.out[1], oy = position / w.out[2] % w.out[1];
  const int64_t start = w.at(2, position % w.out[2], 0), room = w.in[2] - start;
  const int64_t before = std::min(columns, start < 0 ? (-start + step - 1) / step : int64_t{0});
  const int64_t end =
      std::max(before, std::min(columns, room > 0 ? (room + step - 1) / step : int64_t{0}));
  int64_t cell = 0;
  for (int64_t q = 0; q < channels; ++q) {
    for (int64_t kz = 0; kz < w.kernel[0]; ++kz) {
      const int64_t z = w.at(0, oz, kz);
      for (int64_t ky = 0; ky < w.kernel[1]; ++ky, cell += columns) {
        const int64_t y = w.at(1, oy, ky);
        const bool in = z >= 0 && z < w.in[0] && y >= 0 && y < w.in[1];
        body(q * plane + (z * w.in[1] + y) * w.in[2] + start, cell, in ? before : 0, in ? end : 0);
      }
    }
  }
}

// Is the window one row of the kernel, all inside, of neighbours?
static bool is_plain_row(const Windows& w, int64_t position) {
  const int64_t start = w.at(2, position, 0);
  return w.kernel[0] * w.kernel[1] * w.in[0] * w.in[1] * w.rows() == 1 && w.pad[0] == 0 &&
         w.pad[1] == 0 && start >= 0 && start + w.kernel[2] <= w.in[2] && w.dilation[2] == 1;
}

// body(a number of columns that the compiler knows) where it knows that of the kernel's.
template <class Body>
static bool with_columns(int64_t columns, const Body& body) {
  switch (columns) {
    case 1:
      return body(std::integral_constant<int64_t, 1>()), true;
    case 2:
      return body(std::integral_constant<int64_t, 2>()), true;
    case 3:
      return body(std::integral_constant<int64_t, 3>()), true;
    case 4:
      return body(std::integral_constant<int64_t, 4>()), true;
    case 5:
      return body(std::integral_constant<int64_t, 5>()), true;
    default:
      return false;
  }
}

void patch_at(const Windows& w, int64_t channels, const Real* x, int64_t position, Real* patch) {
  const int64_t columns = w.kernel[2], step = w.dilation[2], plane = w.in_size();
  const auto copy = [&](auto known) {
    const Real* from = x + w.at(2, position, 0);
    for (int64_t q = 0; q < channels; ++q)
      std::memcpy(patch + q * known, from + q * plane, known * sizeof(Real));
  };
  if (is_plain_row(w, position) && with_columns(columns, copy)) return;
  each_row_at(w, channels, position, [&](int64_t at, int64_t cell, int64_t first, int64_t last) {
    Real* to = patch + cell;
    const Real* row = x + at;
    if (last - first == columns && step == 1) return copy_few(row, last, to);
    for (int64_t k = 0; k < first; ++k) to[k] = 0;
    for (int64_t k = first; k < last; ++k) to[k] = row[k * step];
    for (int64_t k = last; k < columns; ++k) to[k] = 0;
  });
}

void add_patch_at(const Windows& w, int64_t channels, const Real* patch, int64_t position,
                  Real* x) {
  const int64_t step = w.dilation[2], plane = w.in_size();
  const auto add = [&](auto known) {
    Real* to = x + w.at(2, position, 0);
    for (int64_t q = 0; q < channels; ++q)
      for (int64_t k = 0; k < known; ++k) to[q * plane + k] += patch[q * known + k];
  };
  if (is_plain_row(w, position) && with_columns(w.kernel[2], add)) return;
  each_row_at(w, channels, position, [&](int64_t at, int64_t cell, int64_t first, int64_t last) {
    for (int64_t k = first; k < last; ++k) x[at + k * step] += patch[cell + k];
  });
}

void im2row(const Windows& w, int64_t channels, const Real* x, Real* patches, int64_t ld) {
  for (int64_t position = 0; position < w.out_size(); ++position)
    patch_at(w, channels, x, position, patches + position * ld);
}

}  // namespace AT_PRECISION
}  // namespace at
