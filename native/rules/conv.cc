#include <cstring>
#include <optional>

#include "core/blas.h"
#include "rules/device/conv.h"
#include "rules/multiplies.h"
#include "rules/support/convolution.h"
#include "rules/support/correlation.h"
#include "rules/support/finite.h"
#include "rules/support/in_place.h"
#include "rules/support/pack.h"
#include "rules/support/partials.h"
#include "rules/support/quick.h"
#include "rules/support/reached.h"
#include "rules/support/taps.h"
#include "rules/support/thin_conv.h"

namespace at {
inline namespace AT_PRECISION {
namespace {

struct Geometry : Correlation {
  int64_t images, k;
  explicit Geometry(const NodeView& call)
      : Correlation(correlation_of(call)), images(call.input(0).shape[0]), k(Correlation::k()) {}

 private:
  static Correlation correlation_of(const NodeView& call) {
    const Shape& weight = call.input(1).shape;
    const int64_t groups = call.node().attributes.integer("group", 1);
    return {groups, weight[0] / groups, weight[1],
            Windows(call.node(), spatial(call.input(0).shape), spatial(call.output(0).shape),
                    spatial(weight))};
  }
};

class Conv final : public Rule {
 public:
  int factors(const Node&) const override { return 2; }
  Needs needs(const Node&, const std::vector<bool>& wanted) const override {
    return needs_of_product(wanted);
  }

  std::unique_ptr<Refusal> refuse(const Node& node, const Tape&) const override {
    if (node.attributes.integers("kernel_shape").size() <= 3) return nullptr;
    return std::make_unique<Refusal>(
        Refusal{"it has more than three spatial axes", "reshape its input to fewer"});
  }

  void reverse(Call& call) const override {
    const Geometry geometry(call);
    const bool bias = call.has_input(2) && call.wants(2);
    bool bias_done = false, sound = false;
    if (call.wants(1)) {
      if (Real* features = multiplied_out(call, 1, dims_of(call, geometry))) {
        sound = multiply_out(call, geometry, features);
      } else if (call.per_sample(1)) {
        bias_done = bias && geometry.groups == 1 && call.per_sample(2);
        factor(call, geometry, bias_done ? 2 : -1);
      } else {
        weight(call, geometry);
      }
    }
    if (bias && !bias_done) {
      sum_to(call, 0, 2, bias_shape(call), call.out(0));
    }
    if (call.wants(0)) {
      require_plain(call, 0);
      input(call, geometry, sound);
    }
  }

  void forward(TangentCall& call) const override {
    const Geometry g(call);
    Real* out = call.out(0);
    Real beta = 0;
    if (const Real* bias = call.in(2)) {
      flow_forward(call, bias, bias_shape(call), call.output(0).shape, nullptr, 1, false, out);
      beta = 1;
    }
    if (const Real* x = call.in(0)) {
      correlate(g, x, call.count() * g.images, call.input(1).reals(), 1, beta, out);
      beta = 1;
    }
    if (const Real* w = call.in(1))
      correlate(g, call.input(0).reals(), g.images, w, call.count(), beta, out);
  }

 private:
  static MatrixDims dims_of(const Call& call, const Geometry& g) {
    MatrixDims dims;
    dims.groups = g.groups;
    dims.positions = g.images / call.samples() * g.windows.out_size();
    dims.rows = g.m;
    dims.cols = g.k;
    return dims;
  }

  // The weight's features (n, C, G·m, k) themselves. True where that showed that the cotangents are
  // finite.
  static bool multiply_out(Call& call, const Geometry& g, Real* features) {
    const int64_t count = call.count(), samples = call.samples(), G = g.groups;
    const int64_t positions = g.windows.out_size(), kernel = g.windows.kernel_size();
    const int64_t block = g.m * positions, plane = g.channels * g.windows.in_size();
    const auto images = images_by_sample(call.output(0), g.images, samples);
    const PatchBlocks blocks(g, count, samples * G);
    const Real* out = call.out(0);
    const Real* x = call.input(0).reals();
    const auto own_images = [&](int64_t i, int64_t c0, int64_t group) {
      std::vector<PatchProduct::Image> own;
      for (int64_t b : images[static_cast<size_t>(i)])
        own.push_back(
            {out + ((c0 * g.images + b) * G + group) * block, x + (b * G + group) * plane});
      return own;
    };
    if (thin_pays(g, out, count * g.images)) {
      parallel_for(count * samples * G, 1, [&](int64_t first, int64_t last) {
        for (int64_t item = first; item < last; ++item) {
          call.control().poll();
          Real* to = features + item * g.m * g.k;
          std::fill(to, to + g.m * g.k, Real(0));
          for (const auto& image : own_images(item / G / count, item / G % count, item % G))
            add_thin_product(g, image, to);
        }
      });
      return false;
    }
    const int64_t each = g.images / samples;  // images of a sample
    const int64_t items = samples * G * blocks.stacks;
    const QuickWay way = quick_product_way(g, each);
    const bool small = way == QuickWay::kNone && small_products_pay(g, each, items);
    const int64_t cotangents = count * g.images * G * block;
    const auto product_of = [&](int64_t item) -> StackedProduct {
      call.control().poll();
      const int64_t ig = item / blocks.stacks, c0 = item % blocks.stacks * blocks.stacked;
      return {own_images(ig / G, c0, ig % G), std::min(blocks.stacked, count - c0),
              g.images * G * block, features + ((ig / G * count + c0) * G + ig % G) * g.m * g.k,
              G * g.m * g.k};
    };
    const auto multiply = [&] {
      if (small) return multiply_small(g, each, blocks.stacked, items, product_of);
      Real* room = call.scratch(quick_product_room(way, g, each, blocks.stacked));
      for (int64_t item = 0; item < items; ++item) multiply_quick(way, g, product_of(item), room);
    };
    if ((small || way != QuickWay::kNone) && !only_ones(out, cotangents) &&
        finitely(multiply, out, cotangents, features, samples * count * G * g.m * g.k))
      return true;
    if (InPlaceProduct::pays(g, items)) {
      const InPlaceProduct product(g);
      parallel_for(items, 1, [&](int64_t first, int64_t last) {
        for (int64_t item = first; item < last; ++item) product.run(product_of(item));
      });
      return false;
    }
    const int64_t pieces = blocks.stacks * blocks.slices;
    parallel_for(samples * G * pieces, 1, [&](int64_t first, int64_t last) {
      for (int64_t item = first; item < last; ++item) {
        call.control().poll();
        const int64_t i = item / pieces / G, group = item / pieces % G;
        const int64_t c0 = item / blocks.slices % blocks.stacks * blocks.stacked;
        const int64_t q0 = item % blocks.slices * blocks.channels;
        const int64_t stacked = std::min(blocks.stacked, count - c0);
        const int64_t q1 = std::min(g.channels, q0 + blocks.channels);
        Real* to = features + ((i * count + c0) * G + group) * g.m * g.k + q0 * kernel;
        const PatchProduct product(g, stacked, g.images * G * block);
        if (stacked == 1 || G == 1) {
          product.run(own_images(i, c0, group), q0, q1, to, g.k);
          continue;
        }
        const int64_t width = (q1 - q0) * kernel;
        Real* made = lane_buffer<2>(stacked * g.m * width);
        product.run(own_images(i, c0, group), q0, q1, made, width);
        for (int64_t r = 0; r < stacked * g.m; ++r)
          std::memcpy(to + (r / g.m * G * g.m + r % g.m) * g.k, made + r * width,
                      sizeof(Real) * width);
      }
    });
    return false;
  }

  // Patches of every image as rows (B, G, T, k), or as `places` orders them.
  static void patches(Call& call, const Geometry& g, const Places* places, Real* to) {
    const int64_t positions = g.windows.out_size(), plane = g.channels * g.windows.in_size();
    const Real* x = call.input(0).reals();
    // A number takes four times as long as in a loop over neighbours.
    const int64_t work = 4 * positions * g.k;
    parallel_for(g.images * g.groups, grain_for(work), [&](int64_t first, int64_t last) {
      for (int64_t item = first; item < last; ++item) {
        const int64_t slot = places ? places->slot[item] : item;
        Real* rows = to + slot * positions * g.k;
        if (g.windows.pointwise()) {
          transpose_block(x + item * plane, g.k, positions, positions, rows, g.k);
        } else {
          im2row(g.windows, g.channels, x + item * plane, rows, g.k);
        }
      }
    });
  }

  static void factor(Call& call, const Geometry& g, int bias) {
    const int64_t positions = g.windows.out_size(), count = call.count(), samples = call.samples();
    const Activation& out = call.output(0);
    const int64_t image_size = g.groups * g.m * positions;
    const Places places = place_rows(
        g.images * g.groups, g.groups, samples, [&](int64_t r) { return r % g.groups; },
        [&](int64_t r) { return sample_of(out, r / g.groups * image_size, samples); });
    const MatrixFactor factor = call.matrix(1, dims_of(call, g), bias);
    const int64_t blocks = g.images * g.groups, size = g.m * positions;
    const Real* from = call.out(0);
    parallel_for(count * blocks, grain_for(size), [&](int64_t first, int64_t last) {
      for (int64_t item = first; item < last; ++item) {
        const int64_t c = item / blocks, slot = places.slot[item % blocks];
        transpose_block(from + item * size, g.m, positions, positions,
                        factor.delta + (slot * positions * count + c) * g.m, count * g.m);
      }
    });
    patches(call, g, &places, factor.h);
  }

  // The weight's cotangent when it is not wanted for every sample apart.
  static void weight(Call& call, const Geometry& g) {
    const int64_t positions = g.windows.out_size();
    Real* rows = call.scratch(g.images * g.groups * positions * g.k);
    patches(call, g, nullptr, rows);
    const Real* out = call.out(0);
    Real* in = call.in(1);
    parallel_for(call.count() * g.groups, 1, [&](int64_t first, int64_t last) {
      for (int64_t item = first; item < last; ++item) {
        const int64_t c = item / g.groups, group = item % g.groups;
        for (int64_t b = 0; b < g.images; ++b) {
          blas::gemm(false, false, g.m, g.k, positions, Real(1.0),
                     out + ((c * g.images + b) * g.groups + group) * g.m * positions, positions,
                     rows + (b * g.groups + group) * positions * g.k, g.k,
                     b ? Real(1.0) : Real(0.0), in + item * g.m * g.k, g.k);
        }
      }
    });
  }

  // `sound`: the cotangents are known to be finite.
  static void input(Call& call, const Geometry& g, bool sound) {
    const Windows& w = g.windows;
    const int64_t planes = call.count() * g.images, positions = w.out_size();
    const Real* out = call.out(0);
    const Real* weights = call.input(1).reals();
    Real* in = call.in(0);
    if (w.pointwise() && positions == 1 && g.groups == 1) {
      blas::parallel_gemm(false, false, planes, g.k, g.m, Real(1.0), out, g.m, weights, g.k,
                          Real(0.0), in, g.k);
      return;
    }
    if (thin_pays(g, out, planes)) return spread_thin(g, out, planes, weights, in);
    if (turnable(g) && turned_input(call, g, sound, in)) return;
    if (spread_input(call, g, sound, in)) return;
    // Columns of one product: enough for BLAS, few enough for the cache.
    const int64_t columns = std::clamp<int64_t>((3 << 16) / g.k, 128, 2048);
    const int64_t together = std::max<int64_t>(1, columns / positions);
    const int64_t bundles = (planes + together - 1) / together;
    const int64_t work = together * positions * g.k;
    parallel_for(bundles * g.groups, grain_for(work), [&](int64_t first, int64_t last) {
      Lane lane(g, std::min(columns, std::max(positions, w.out[2])), together);
      for (int64_t item = first; item < last; ++item) {
        const int64_t group = item % g.groups;
        const int64_t p0 = item / g.groups * together, p1 = std::min(planes, p0 + together);
        lane.run(out, weights + group * g.m * g.k, in, group, p0, p1);
      }
    });
  }

  // Is x's cotangent one product over patches of Y's?
  static bool turnable(const Geometry& g) {
    const int64_t* stride = g.windows.stride;
    const bool plain = stride[0] == 1 && stride[1] == 1 && stride[2] == 1;
    return plain && !g.windows.pointwise() && g.m > 2;
  }

  // Where that gains.
  static bool turned_input(Call& call, const Geometry& g, bool sound, Real* in) {
    const Correlation adjoint = g.adjoint();
    const int64_t planes = call.count() * g.images;
    const Real* out = call.out(0);
    const QuickWay way = quick_way(adjoint, planes);
    std::optional<Reached> reached;
    if (way != QuickWay::kNone && all_finite(call.input(1).reals(), g.groups * g.m * g.k) &&
        !only_ones(out, planes * g.groups * g.m * g.windows.out_size()))
      reached.emplace(adjoint, sound, out, planes, call.scratch(Reached::room(adjoint, planes)));
    const bool quick = reached && reached->finite();
    // Fewer rows than about 48 leave BLAS's kernels half empty (16 take a fifth more time than by
    // col2im).
    if (!quick && g.channels < 48) return false;
    Real* turned = call.scratch(g.groups * g.m * g.k);
    g.turn(call.input(1).reals(), turned);
    if (!quick) {
      correlate(adjoint, out, planes, turned, 1, 0, in);
    } else {
      correlate_quick(way, adjoint, out, planes, turned, in,
                      call.scratch(quick_room(way, adjoint)));
      reached->clear(in);
    }
    return true;
  }

  // With strides, where that gains.
  static bool spread_input(Call& call, const Geometry& g, bool sound, Real* in) {
    const QuickWay way = quick_way(g, call.count() * g.images);
    if (way != QuickWay::kStrided1 && way != QuickWay::kStrided2) return false;
    const int64_t planes = call.count() * g.images;
    const Real* out = call.out(0);
    const Real* weights = call.input(1).reals();
    if (only_ones(out, planes * g.groups * g.m * g.windows.out_size()) ||
        !all_finite(weights, g.groups * g.m * g.k))
      return false;
    const auto reached = Reached::of_adjoint(g, sound, out, planes,
                                             call.scratch(Reached::room_of_adjoint(g, planes)));
    if (!reached.finite()) return false;
    spread_quick(way, g, out, planes, weights, in, call.scratch(spread_room(way, g)));
    reached.clear(in);
    return true;
  }

  // One thread's way from cotangents of some planes (images × cotangents) of one group to x's.
  class Lane {
   public:
    Lane(const Geometry& g, int64_t columns, int64_t together)
        : g_(g),
          rows_(std::max<int64_t>(1, columns / g.windows.out[2])),
          direct_(g.m <= 2),
          packed_(lane_buffer<0>(together > 1 ? together * g.windows.out_size() * g.m : 0)),
          cols_(lane_buffer<1>(
              g.k * (together > 1 ? together * g.windows.out_size() : rows_ * g.windows.out[2]))) {}

    void run(const Real* out, const Real* weight, Real* in, int64_t group, int64_t p0, int64_t p1) {
      const Windows& w = g_.windows;
      const int64_t positions = w.out_size(), plane = g_.channels * w.in_size();
      const auto source = [&](int64_t p) {
        return out + (p * g_.groups + group) * g_.m * positions;
      };
      const auto target = [&](int64_t p) { return in + (p * g_.groups + group) * plane; };
      const bool pointwise = w.pointwise();
      if (!pointwise || direct_)
        for (int64_t p = p0; p < p1; ++p) std::memset(target(p), 0, sizeof(Real) * plane);
      if (direct_) {
        for (int64_t p = p0; p < p1; ++p) spread(source(p), weight, target(p));
      } else if (p1 - p0 > 1) {
        const int64_t n = p1 - p0, ld = n * positions;
        for (int64_t j = 0; j < g_.m; ++j)
          for (int64_t p = 0; p < n; ++p)
            std::memcpy(packed_ + j * ld + p * positions, source(p0 + p) + j * positions,
                        sizeof(Real) * positions);
        product(weight, packed_, ld, ld, cols_, ld);
        for (int64_t p = 0; p < n; ++p) {
          const Real* cols = cols_ + p * positions;
          if (!pointwise) {
            col2im(w, g_.channels, cols, ld, 0, w.rows(), target(p0 + p));
            continue;
          }
          for (int64_t q = 0; q < g_.k; ++q)
            std::memcpy(target(p0 + p) + q * positions, cols + q * ld, sizeof(Real) * positions);
        }
      } else if (pointwise) {
        product(weight, source(p0), positions, positions, target(p0), positions);
      } else {
        for (int64_t r = 0; r < w.rows(); r += rows_) {
          const int64_t end = std::min(w.rows(), r + rows_), length = (end - r) * w.out[2];
          product(weight, source(p0) + r * w.out[2], positions, length, cols_, length);
          col2im(w, g_.channels, cols_, length, r, end, target(p0));
        }
      }
    }

   private:
    // to (k × n) = Wᵀ·g, g (m × n).
    void product(const Real* weight, const Real* g, int64_t ldg, int64_t n, Real* to,
                 int64_t ld) const {
      blas::gemm(true, false, g_.k, n, g_.m, Real(1.0), weight, g_.k, g, ldg, Real(0.0), to, ld);
    }

    // Few output channels (depthwise): straight into x, a product has nothing to gain. A row of x
    // gets all kernel columns at once from a row of g with zeros around it.
    void spread(const Real* g, const Real* weight, Real* x) const {
      const Windows& w = g_.windows;
      const int64_t columns = w.kernel[2], reach = (columns - 1) * w.dilation[2];
      const int64_t wide = w.in[2] + w.pad[2] + reach + w.stride[2] * w.out[2];
      Real* row = lane_buffer<2>(wide);
      for (int64_t j = 0; j < g_.m; ++j) {
        for (int64_t oz = 0; oz < w.out[0]; ++oz) {
          for (int64_t oy = 0; oy < w.out[1]; ++oy) {
            // row[reach + o·stride] = g's row: x[i] is the sum of weight[k]·row[i + pad + reach −
            // k·dilation].
            std::fill(row, row + wide, Real(0.0));
            const Real* from = g + ((j * w.out[0] + oz) * w.out[1] + oy) * w.out[2];
            for (int64_t o = 0; o < w.out[2]; ++o) row[reach + o * w.stride[2]] = from[o];
            add_row(row + w.pad[2] + reach, oz, oy, weight + j * g_.k, x);
          }
        }
      }
    }

    void add_row(const Real* row, int64_t oz, int64_t oy, const Real* weight, Real* x) const {
      const Windows& w = g_.windows;
      const int64_t columns = w.kernel[2], step = w.dilation[2], n = w.in[2];
      for (int64_t q = 0; q < g_.channels; ++q) {
        for (int64_t kz = 0; kz < w.kernel[0]; ++kz) {
          const int64_t z = w.at(0, oz, kz);
          for (int64_t ky = 0; ky < w.kernel[1]; ++ky, weight += columns) {
            const int64_t y = w.at(1, oy, ky);
            if (z < 0 || z >= w.in[0] || y < 0 || y >= w.in[1]) continue;
            Real* to = x + ((q * w.in[0] + z) * w.in[1] + y) * n;
            if (columns == 3) {
              add_three_taps(row, step, weight, n, to);
              continue;
            }
            for (int64_t k = 0; k < columns; ++k)
              for (int64_t i = 0; i < n; ++i) to[i] += weight[k] * row[i - k * step];
          }
        }
      }
    }

    const Geometry& g_;
    int64_t rows_;
    bool direct_;
    Real* packed_;
    Real* cols_;
  };
};

const Registration conv("Conv", std::make_unique<Conv>(), device_conv());

}  // namespace
}  // namespace AT_PRECISION
}  // namespace at
