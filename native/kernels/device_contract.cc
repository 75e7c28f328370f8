#include "kernels/device_contract.h"

#include <algorithm>
#include <cmath>

#include "device/functions/arrange.h"
#include "device/functions/fill.h"
#include "device/functions/gram_product.h"
#include "device/functions/pick.h"
#include "device/launch.h"

namespace at::kernels {

namespace {

using device::Buffer;
using device::Pointer;

// A unit's factors as a kernel's type sees them: C rows of the kernel for each sample, whose m
// numbers of δ begin `skipped` after the first.
template <class Number>
struct Seen {
  Seen(const KernelTask& task, const DeviceUnit<Number>& unit, int64_t count, int64_t component)
      : C(task.components()),
        T(unit.positions),
        k(unit.cols),
        place(count * unit.rows),
        stacked(task.type == KernelType::kTrace ? count : 1),
        m(stacked * unit.rows) {
    if (task.type == KernelType::kDiagonal) skipped = component;
    if (unit.delta) delta = unit.delta.at(skipped * unit.rows);
  }
  int64_t C, T, k;
  int64_t place;  // from one position's δ to the next one's
  int64_t stacked, m;
  int64_t skipped = 0;
  Pointer<const Number> delta;
};

template <class Number>
class Contraction {
 public:
  Contraction(const KernelTask& task, int64_t component, device::Stream& stream, int64_t count_a,
              int64_t count_b, const Place& place, const DeviceTile<Number>& sum,
              const Control& control)
      : task_(task),
        component_(component),
        count_a_(count_a),
        count_b_(count_b),
        place_(place),
        control_(control),
        stream_(stream),
        height_(place.rows.size * task.components()),
        width_(place.cols.size * task.components()),
        sum_(sum),
        // Scratch in numbers: an eighth of the memory that the stream may use.
        most_(std::clamp<int64_t>(static_cast<int64_t>(std::min<size_t>(
                                      stream_.limit() / 8 / sizeof(Number), size_t{1} << 28)),
                                  1 << 12, 1 << 28)) {}

  void add(const DeviceUnit<Number>& u, const DeviceUnit<Number>& v) {
    control_.poll();
    if (u.x) return add_dense(u, v);
    if (u.method == Method::kJacobian) return add_expanded(u, v);
    if (u.positions == 1 && v.positions == 1 && u.method == Method::kStructured)
      return add_gram_product(u, v);
    add_positions(u, v);
  }

 private:
  using Unit = DeviceUnit<Number>;
  using Ends = Seen<Number>;

  // sum += x · yᵀ, rows of `depth` numbers.
  void add_inner(const Pointer<const Number>& x, int64_t ldx, const Pointer<const Number>& y,
                 int64_t ldy, int64_t depth) {
    if (place_.diagonal) {
      stream_.gram(device::Gram<Number>{height_, depth, x, ldx, sum_.data, sum_.stride, 1, 1});
    } else {
      device::Product<Number> p;
      p.trans_b = true;
      set(p, height_, width_, depth);
      p.a = x, p.lda = ldx;
      p.b = y, p.ldb = ldy;
      p.c = sum_.data, p.ldc = sum_.stride;
      p.beta = 1;
      stream_.multiply(p);
    }
  }

  static void set(device::Product<Number>& p, int64_t m, int64_t n, int64_t k) {
    p.m = m, p.n = n, p.k = k;
  }

  void add_dense(const Unit& u, const Unit& v) {
    const Ends s(task_, u, count_a_, component_);
    const int64_t size = s.stacked * u.size, sample = count_a_ * u.size;
    // Rows (i, c) are evenly spaced: C fills the sample, or is 1.
    const int64_t stride = s.C == 1 ? sample : size;
    const auto begin = [&](const Unit& unit, const Range& range) {
      return Pointer<const Number>(unit.x.at(range.first * sample + s.skipped * u.size));
    };
    add_inner(begin(u, place_.rows), stride, begin(v, place_.cols), stride, size);
  }

  // X is formed a slice of columns at a time.
  void add_expanded(const Unit& u, const Unit& v) {
    const Ends a(task_, u, count_a_, component_), b(task_, v, count_b_, component_);
    const int64_t total = height_ + (place_.diagonal ? 0 : width_);
    const int64_t slice = std::clamp<int64_t>(most_ / (total * a.k), 1, a.m);
    const auto left = stream_.take<Number>(height_ * slice * a.k);
    const auto right = place_.diagonal ? left : stream_.take<Number>(width_ * slice * a.k);
    for (int64_t first = 0; first < a.m; first += slice) {
      control_.poll();
      const int64_t rows = std::min(slice, a.m - first), depth = rows * a.k;
      expand(u, a, place_.rows, first, rows, left.at());
      if (!place_.diagonal) expand(v, b, place_.cols, first, rows, right.at());
      add_inner(left.at(), depth, right.at(), depth, depth);
    }
  }

  // to (samples·C × rows·k): rows [first, first + rows) of the samples' X.
  void expand(const Unit& unit, const Ends& s, const Range& range, int64_t first, int64_t rows,
              const Pointer<Number>& to) {
    const bool whole = rows == s.m;
    device::Product<Number> p;
    p.trans_a = true;
    set(p, whole ? s.C * rows : rows, s.k, s.T);
    p.lda = s.place, p.ldb = s.k, p.ldc = s.k;
    p.b = unit.h.at(range.first * s.T * s.k);
    p.batch = range.size;
    p.step_a = s.T * s.place, p.step_b = s.T * s.k, p.step_c = s.C * rows * s.k;
    for (int64_t c = 0; c < (whole ? 1 : s.C); ++c) {
      p.a = s.delta + (range.first * s.T * s.place + c * s.m + first);
      p.c = to + c * rows * s.k;
      stream_.multiply(p);
    }
  }

  // T = 1: (Gram of δ) ⊙ (Gram of h).
  void add_gram_product(const Unit& u, const Unit& v) {
    const Ends a(task_, u, count_a_, component_), b(task_, v, count_b_, component_);
    const int64_t rows = place_.rows.size, cols = place_.cols.size;
    const auto gram = stream_.take<Number>(height_ * width_);
    const auto inner = stream_.take<Number>(rows * cols);
    if (u.columns) {
      same_columns(u, v, place_.rows, place_.cols, inner.at());
    } else {
      make_gram({u.h.at(place_.rows.first * a.k), a.k}, {v.h.at(place_.cols.first * a.k), a.k}, a.k,
                u.known_h, 1, inner.at());
    }
    make_gram({a.delta + place_.rows.first * a.place, a.C == 1 ? a.place : a.m},
              {b.delta + place_.cols.first * b.place, b.C == 1 ? b.place : b.m}, a.m, u.known_delta,
              a.C, gram.at());
    const device::Divider each(a.C);
    device::for_rows(stream_, height_, width_,
                     device::GramProduct<Number>{gram.at(), width_, inner.at(), cols, sum_.data,
                                                 sum_.stride, each, each});
  }

  struct Vectors {
    Pointer<const Number> data;
    int64_t stride;
  };
  // out = the inner products of the tile's vectors, `unit` of each sample, over `depth` numbers,
  // added to what is known.
  void make_gram(const Vectors& x, const Vectors& y, int64_t depth,
                 const Pointer<const Number>& known, int64_t unit, const Pointer<Number>& out) {
    const int64_t rows = place_.rows.size * unit, cols = place_.cols.size * unit;
    device::Product<Number> p;
    p.trans_b = true;
    set(p, rows, cols, depth);
    p.a = x.data, p.lda = x.stride;
    p.b = y.data, p.ldb = y.stride;
    p.c = out, p.ldc = cols;
    if (known.address()) {
      const int64_t width = task_.samples1 * unit;
      device::for_rows(stream_, rows, cols,
                       device::CopyRows<Number>{
                           known + (place_.rows.first * unit * width + place_.cols.first * unit),
                           width, out, cols});
      if (depth == 0) return;
      p.beta = 1;
    }
    stream_.multiply(p);
  }
  // out (positions of `rows`, positions of `cols`): the inner products of h that hold a single 1.
  void same_columns(const Unit& u, const Unit& v, const Range& rows, const Range& cols,
                    const Pointer<Number>& out) {
    const int64_t width = cols.size * v.positions;
    device::for_rows(
        stream_, rows.size * u.positions, width,
        device::SameColumn<Number>{u.columns.at(rows.first * u.positions),
                                   v.columns.at(cols.first * v.positions), out, width});
  }

  // T > 1: Z[(i,t), j] (C·m) = Σ_t' (h_{i,t}·h_{j,t'}) δ_{j,t'} (structured), or the same as
  // h_{i,t} X_jᵀ with X_j multiplied out (mixed); then sum[(i,c), (j,p)] += Σ_t δ_{i,t,c}·Z[(i,t),
  // j, p]. With C = 1 the Z of one j stand together, so that t and m are summed over at once.
  void add_positions(const Unit& u, const Unit& v) {
    const Ends a(task_, u, count_a_, component_), b(task_, v, count_b_, component_);
    const bool mixed = u.method == Method::kMixed;
    const int64_t stack = a.C * a.m;
    const int64_t each = a.T * (stack + (mixed ? 0 : b.T));
    const int64_t cols = std::clamp<int64_t>(
        std::min(most_ / (mixed ? stack * a.k : 1), most_ / each), 1, place_.cols.size);
    const int64_t rows = std::clamp<int64_t>(most_ / (each * cols), 1, place_.rows.size);
    const auto z = stream_.take<Number>(rows * a.T * cols * stack);
    const auto other = stream_.take<Number>(mixed ? cols * stack * a.k : rows * a.T * cols * b.T);
    for (int64_t j0 = 0; j0 < place_.cols.size; j0 += cols) {
      const Range js{place_.cols.first + j0, std::min(cols, place_.cols.size - j0)};
      if (mixed) expand(v, b, js, 0, b.m, other.at());
      for (int64_t i0 = 0; i0 < place_.rows.size; i0 += rows) {
        control_.poll();
        const Range is{place_.rows.first + i0, std::min(rows, place_.rows.size - i0)};
        make_z(u, v, b, is, js, other, z.at());
        gather(a, is, js, z.at(), sum_.data + (i0 * a.C * sum_.stride + j0 * a.C));
      }
    }
  }

  // From one j's Z to the next one's, and from one (i, t)'s to the next one's.
  struct Layout {
    int64_t step, stride;
  };
  static Layout layout(const Ends& s, int64_t rows, int64_t cols) {
    const int64_t stack = s.C * s.m;
    return s.C == 1 ? Layout{rows * stack, stack} : Layout{stack, cols * stack};
  }

  void make_z(const Unit& u, const Unit& v, const Ends& b, const Range& is, const Range& js,
              const Buffer<Number>& other, const Pointer<Number>& z) {
    const int64_t rows = is.size * u.positions, stack = b.C * b.m;
    const auto [step, stride] = layout(b, rows, js.size);
    device::Product<Number> p;
    p.c = z, p.ldc = stride, p.step_c = step;
    p.batch = js.size;
    if (u.method == Method::kMixed) {
      p.trans_b = true;
      set(p, rows, stack, b.k);
      p.a = u.h.at(is.first * u.positions * b.k), p.lda = b.k;
      p.b = other.at(), p.ldb = b.k, p.step_b = stack * b.k;
      return stream_.multiply(p);
    }
    const int64_t width = js.size * b.T;
    if (u.columns) {
      same_columns(u, v, is, js, other.at());
    } else {
      device::Product<Number> inner;
      inner.trans_b = true;
      set(inner, rows, width, b.k);
      inner.a = u.h.at(is.first * u.positions * b.k), inner.lda = b.k;
      inner.b = v.h.at(js.first * b.T * b.k), inner.ldb = b.k;
      inner.c = other.at(), inner.ldc = width;
      stream_.multiply(inner);
    }
    set(p, rows, stack, b.T);
    p.a = other.at(), p.lda = width, p.step_a = b.T;
    p.b = b.delta + js.first * b.T * b.place, p.ldb = b.place, p.step_b = b.T * b.place;
    stream_.multiply(p);
  }

  void gather(const Ends& a, const Range& is, const Range& js, const Pointer<const Number>& z,
              const Pointer<Number>& out) {
    const auto [step, stride] = layout(a, is.size * a.T, js.size);
    device::Product<Number> p;
    p.trans_b = true;
    p.beta = 1;
    p.c = out, p.ldc = sum_.stride, p.step_c = a.C * sum_.stride;
    p.batch = is.size;
    p.step_a = a.T * a.place, p.step_b = a.T * stride;
    const bool together = a.C == 1 && a.place == a.m;
    set(p, a.C, js.size * a.C, together ? a.T * a.m : a.m);
    p.lda = p.k, p.ldb = a.C == 1 ? step : a.m;
    for (int64_t t = 0; t < (together ? 1 : a.T); ++t) {
      p.a = a.delta + (is.first * a.T + t) * a.place;
      p.b = z + t * stride;
      stream_.multiply(p);
    }
  }

  const KernelTask& task_;
  int64_t component_;
  int64_t count_a_, count_b_;
  const Place& place_;
  const Control& control_;
  device::Stream& stream_;
  int64_t height_, width_;
  DeviceTile<Number> sum_;
  int64_t most_;
};

}  // namespace

template <class Number>
int64_t device_step(const device::Stream& stream, int64_t components) {
  // The tile, a Gram matrix of its size and what it is multiplied by.
  const auto fits = static_cast<int64_t>(
      std::sqrt(static_cast<double>(stream.limit()) / (16.0 * sizeof(Number))));
  return std::max<int64_t>(1, std::clamp<int64_t>(fits, 32, 4096) / components);
}

template <class Number>
Buffer<Number> contract_on_device(const KernelTask& task, int group, int64_t component,
                                  const Block<Number>& a, const Block<Number>& b,
                                  const Place& place, Number* out, const Control& control) {
  device::Stream& stream = *a.on_device->stream;
  const int64_t height = place.rows.size * task.components(),
                width = place.cols.size * task.components();
  const auto sum = stream.take<Number>(height * width);
  device::for_rows(stream, height, width, device::Fill<Number>{sum.at(), width, 0});
  Contraction<Number> adding(task, component, stream, a.count, b.count, place, {sum.at(), width},
                             control);
  for (size_t u = 0; u < a.on_device->units.size(); ++u)
    if (a.on_device->units[u].group == group)
      adding.add(a.on_device->units[u], b.on_device->units[u]);
  stream.bring(out, Pointer<const Number>(sum.at()), height * width);
  return sum;
}

template <class Number>
void add_on_device(const KernelTask& task, int64_t component, device::Stream& stream,
                   const DeviceUnit<Number>& a, int64_t count_a, const DeviceUnit<Number>& b,
                   int64_t count_b, const Place& place, const DeviceTile<Number>& out,
                   const Control& control) {
  Contraction<Number>(task, component, stream, count_a, count_b, place, out, control).add(a, b);
}

template void add_on_device(const KernelTask&, int64_t, device::Stream&, const DeviceUnit<double>&,
                            int64_t, const DeviceUnit<double>&, int64_t, const Place&,
                            const DeviceTile<double>&, const Control&);
template int64_t device_step<float>(const device::Stream&, int64_t);
template int64_t device_step<double>(const device::Stream&, int64_t);
template Buffer<float> contract_on_device(const KernelTask&, int, int64_t, const Block<float>&,
                                          const Block<float>&, const Place&, float*,
                                          const Control&);
template Buffer<double> contract_on_device(const KernelTask&, int, int64_t, const Block<double>&,
                                           const Block<double>&, const Place&, double*,
                                           const Control&);

}  // namespace at::kernels
