// Operators that move single elements or blocks of them to or from places given by indices.
#include <algorithm>
#include <cstring>

#include "device/functions/fill.h"
#include "rules/device/taps.h"
#include "rules/support/batch.h"

namespace at {
inline namespace AT_PRECISION {
namespace {

// Places of blocks of `length` elements in a larger array.
struct Blocks {
  int64_t length = 1;
  std::vector<int64_t> at;
};

// Where GatherElements and its like (indices of x's rank) find each of their elements.
Blocks along_axis(const Shape& shape, const Shape& picked, const std::vector<int64_t>& indices,
                  int64_t axis) {
  const Shape strides = row_major_strides(shape);
  Blocks blocks;
  blocks.at.reserve(indices.size());
  for (size_t e = 0; e < indices.size(); ++e) {
    int64_t rest = static_cast<int64_t>(e), at = 0;
    for (size_t a = picked.size(); a-- > 0;) {
      const int64_t own = rest % picked[a];
      rest /= picked[a];
      const bool here = static_cast<int64_t>(a) == axis;
      at += strides[a] * (here ? from_end(indices[e], shape[a]) : own);
    }
    blocks.at.push_back(at);
  }
  return blocks;
}

// Where GatherND and ScatterND find theirs: the last axis of the indices is a tuple.
Blocks by_tuples(const Shape& shape, const Shape& tuples, const std::vector<int64_t>& indices,
                 int64_t batch_dims) {
  const int64_t width = tuples.back();
  const Shape strides = row_major_strides(shape);
  Blocks blocks;
  blocks.length = count_between(shape, batch_dims + width, shape.size());
  const int64_t batches = count_between(shape, 0, batch_dims);
  const int64_t total = width > 0 ? static_cast<int64_t>(indices.size()) / width
                                  : count_between(tuples, 0, tuples.size() - 1);
  const int64_t each = batches > 0 ? total / batches : 0;
  const int64_t batch_size = count_between(shape, batch_dims, shape.size());
  for (int64_t t = 0; t < total; ++t) {
    int64_t at = t / std::max<int64_t>(1, each) * batch_size;
    for (int64_t w = 0; w < width; ++w) {
      const int64_t a = batch_dims + w;
      at += strides[a] * from_end(indices[t * width + w], shape[a]);
    }
    blocks.at.push_back(at);
  }
  return blocks;
}

// Cotangent of what blocks are read from: each adds into its place.
void add_back(Call& call, int j, int k, const Blocks& blocks) {
  const int64_t samples = call.per_sample(k) ? call.samples() : 1;
  const int64_t size = call.input(k).size(), n = blocks.length;
  const auto total = static_cast<int64_t>(blocks.at.size());
  const Activation& value = call.output(j);
  const Real* out = call.out(j);
  Real* in = call.in(k);
  fill_zero(in, call.count() * samples * size);
  parallel_for(call.count(), grain_for(total * n), [&](int64_t first, int64_t last) {
    for (int64_t c = first; c < last; ++c) {
      for (int64_t b = 0; b < total; ++b) {
        const Real* from = out + (c * total + b) * n;
        const int64_t s = samples > 1 ? sample_of(value, b * n, samples) : 0;
        Real* to = in + (c * samples + s) * size + blocks.at[b];
        for (int64_t e = 0; e < n; ++e) to[e] += from[e];
      }
    }
  });
}

// Of blocks written to one place of an array of `size` elements the last stays.
std::vector<bool> staying(const Blocks& blocks, int64_t size) {
  std::vector<bool> stays(blocks.at.size(), true);
  std::vector<int64_t> owner(static_cast<size_t>(size), -1);
  for (size_t b = 0; b < blocks.at.size(); ++b) {
    int64_t& before = owner[static_cast<size_t>(blocks.at[b])];
    if (before >= 0) stays[static_cast<size_t>(before)] = false;
    before = static_cast<int64_t>(b);
  }
  return stays;
}

// Cotangents of what blocks are written over (0) and of what is written (2).
void scatter_back(Call& call, const Blocks& blocks) {
  const bool adds = call.node().attributes.text("reduction", "none") == "add";
  const int64_t size = call.output(0).size(), n = blocks.length;
  const auto total = static_cast<int64_t>(blocks.at.size());
  const Real* out = call.out(0);
  const int64_t count = call.count();
  const std::vector<bool> stays =
      adds ? std::vector<bool>(static_cast<size_t>(total), true) : staying(blocks, size);
  if (call.wants(2)) {
    require_plain(call, 2);
    Real* in = call.in(2);
    parallel_for(count, grain_for(total * n), [&](int64_t first, int64_t last) {
      for (int64_t c = first; c < last; ++c) {
        for (int64_t b = 0; b < total; ++b) {
          Real* to = in + (c * total + b) * n;
          if (stays[b]) {
            std::memcpy(to, out + c * size + blocks.at[b], sizeof(Real) * n);
          } else {
            std::fill(to, to + n, Real(0.0));
          }
        }
      }
    });
  }
  if (!call.wants(0)) return;
  if (adds) return pass_order(call, 0, 0);
  require_plain(call, 0);
  Real* in = call.in(0);
  parallel_for(count, grain_for(size), [&](int64_t first, int64_t last) {
    for (int64_t c = first; c < last; ++c) {
      std::memcpy(in + c * size, out + c * size, sizeof(Real) * size);
      for (int64_t at : blocks.at) std::fill(in + c * size + at, in + c * size + at + n, Real(0.0));
    }
  });
}

// The tangent of what blocks are read from input 0.
void take(TangentCall& call, const Blocks& blocks) {
  const int64_t size = call.input(0).size(), n = blocks.length;
  const auto total = static_cast<int64_t>(blocks.at.size());
  const Real* in = call.in(0);
  Real* out = call.out(0);
  parallel_for(call.count(), grain_for(total * n), [&](int64_t first, int64_t last) {
    for (int64_t c = first; c < last; ++c)
      for (int64_t b = 0; b < total; ++b)
        std::memcpy(out + (c * total + b) * n, in + c * size + blocks.at[b], sizeof(Real) * n);
  });
}

// The tangent of input 0 with that of input 2 written over or added to it.
void scatter_forward(TangentCall& call, const Blocks& blocks) {
  const bool adds = call.node().attributes.text("reduction", "none") == "add";
  const int64_t size = call.output(0).size(), n = blocks.length;
  const auto total = static_cast<int64_t>(blocks.at.size());
  const Real* under = call.in(0);
  const Real* over = call.in(2);
  Real* out = call.out(0);
  parallel_for(call.count(), grain_for(size), [&](int64_t first, int64_t last) {
    for (int64_t c = first; c < last; ++c) {
      Real* to = out + c * size;
      if (under) {
        std::memcpy(to, under + c * size, sizeof(Real) * size);
      } else {
        std::fill(to, to + size, Real(0.0));
      }
      for (int64_t b = 0; b < total; ++b) {
        for (int64_t e = 0; e < n; ++e) {
          const Real own = over ? over[(c * total + b) * n + e] : 0;
          Real& place = to[blocks.at[b] + e];
          place = adds ? place + own : own;
        }
      }
    }
  });
}

int64_t axis_of(const NodeView& view, int64_t otherwise) {
  return from_end(view.node().attributes.integer("axis", otherwise),
                  static_cast<int64_t>(view.input(0).shape.size()));
}

// What a node's indices say.
using Find = Blocks (*)(const NodeView& view);

Blocks elements_of(const NodeView& view) {
  const Activation& indices = view.input(1);
  return along_axis(view.input(0).shape, indices.shape, integers_of(indices), axis_of(view, 0));
}

Blocks tuples_of(const NodeView& view) {
  const Activation& indices = view.input(1);
  return by_tuples(view.input(0).shape, indices.shape, integers_of(indices),
                   view.node().attributes.integer("batch_dims", 0));
}

Blocks largest_of(const NodeView& view) {
  const Activation& indices = view.output(1);
  return along_axis(view.input(0).shape, indices.shape, integers_of(indices), axis_of(view, -1));
}

// Copies blocks of input 0 from places that indices give.
class Picking : public Rule {
 public:
  explicit Picking(Find find) : find_(find) {}
  bool differentiable(const Node&, int k) const override { return k == 0; }
  Needs needs(const Node&, const std::vector<bool>&) const override { return {{1}, {}}; }
  void reverse(Call& call) const override { add_back(call, 0, 0, find_(call)); }
  void forward(TangentCall& call) const override { take(call, find_(call)); }

 private:
  Find find_;
};

// The largest or smallest along an axis; the second output tells which.
class TopK final : public Picking {
 public:
  TopK() : Picking(largest_of) {}
  Needs needs(const Node&, const std::vector<bool>&) const override { return {{}, {1}}; }
  void reverse(Call& call) const override {
    if (!call.out(0)) return fill_zero(call.in(0), call.count() * call.input(0).size());
    Picking::reverse(call);
  }
};

class Scatter final : public Rule {
 public:
  explicit Scatter(Find find) : find_(find) {}
  bool differentiable(const Node&, int k) const override { return k != 1; }
  Needs needs(const Node&, const std::vector<bool>&) const override { return {{1}, {}}; }
  std::unique_ptr<Refusal> refuse(const Node& node, const Tape&) const override {
    const std::string reduction = node.attributes.text("reduction", "none");
    if (reduction == "none" || reduction == "add") return nullptr;
    return std::make_unique<Refusal>(Refusal{"it scatters with the reduction \"" + reduction + "\"",
                                             "only \"none\" and \"add\" have a derivative here"});
  }
  void reverse(Call& call) const override { scatter_back(call, find_(call)); }
  void forward(TangentCall& call) const override { scatter_forward(call, find_(call)); }

 private:
  Find find_;
};

// All of them on a device. Blocks begin at multiples of their length.
class DevicePicking final : public DeviceRule {
 public:
  explicit DevicePicking(Find find) : find_(find) {}
  bool fits(const Call& view) const override { return fits_plain(view); }
  void reverse(DeviceCall& call) const override {
    const Call& view = call.view();
    const int64_t count = view.count(), size = view.input(0).size();
    if (!call.out(0))
      return device::for_rows(call.stream(), 1, count * size,
                              device::Fill<Real>{call.in(0), count * size, 0});
    const Blocks blocks = find_(view);
    taps_of(blocks, size, false).apply(call, count, blocks.length, call.out(0).at(), call.in(0));
  }
  bool forward(DeviceTangentCall& call) const override {
    const TangentCall& view = call.view();
    if (!fits_forward(view)) return false;
    const Blocks blocks = find_(view);
    taps_of(blocks, view.input(0).size(), true)
        .apply(call, view.count(), blocks.length, call.in(0).at(), call.out(0));
    return true;
  }

 private:
  static TapList taps_of(const Blocks& blocks, int64_t size, bool forward) {
    std::vector<TapList::Tap> taps;
    for (size_t b = 0; b < blocks.at.size(); ++b)
      taps.push_back({blocks.at[b] / blocks.length, static_cast<int64_t>(b), 1});
    const auto picked = static_cast<int64_t>(blocks.at.size());
    return TapList(forward, size / blocks.length, picked, taps);
  }

  Find find_;
};

class DeviceScatter final : public DeviceRule {
 public:
  explicit DeviceScatter(Find find) : find_(find) {}
  bool fits(const Call& view) const override {
    for (int k : {0, 2})
      if (view.wants(k) && !(is_plain(view, k) && is_moderate(view.input(k)))) return false;
    return true;
  }
  void reverse(DeviceCall& call) const override {
    const Call& view = call.view();
    const Blocks blocks = find_(view);
    const auto apply = [&](int k, const TapList& taps) {
      taps.apply(call, view.count(), blocks.length, call.out(0).at(), call.in(k));
    };
    if (view.wants(2)) apply(2, written(view, blocks, false));
    if (!view.wants(0)) return;
    adds(view) ? call.put(0, call.out(0)) : apply(0, untouched(view, blocks, false));
  }
  bool forward(DeviceTangentCall& call) const override {
    const TangentCall& view = call.view();
    for (int k : {0, 2})
      if (call.has_in(k) && !fits_forward(view, 0, k)) return false;
    const Blocks blocks = find_(view);
    const auto apply = [&](int k, const TapList& taps) {
      const DeviceNumbers part = call.stream().take<Real>(view.count() * view.output(0).size());
      taps.apply(call, view.count(), blocks.length, call.in(k).at(), part.at());
      call.put(0, part);
    };
    if (call.has_in(2)) apply(2, written(view, blocks, true));
    if (!call.has_in(0)) return true;
    adds(view) ? call.put(0, call.in(0)) : apply(0, untouched(view, blocks, true));
    return true;
  }

 private:
  static bool adds(const NodeView& view) {
    return view.node().attributes.text("reduction", "none") == "add";
  }
  // Between what is written and the output.
  static TapList written(const NodeView& view, const Blocks& blocks, bool forward) {
    const int64_t n = blocks.length, size = view.output(0).size();
    const auto total = static_cast<int64_t>(blocks.at.size());
    const std::vector<bool> stays =
        adds(view) ? std::vector<bool>(blocks.at.size(), true) : staying(blocks, size);
    std::vector<TapList::Tap> taps;
    for (int64_t b = 0; b < total; ++b)
      if (stays[static_cast<size_t>(b)]) taps.push_back({b, blocks.at[b] / n, 1});
    return TapList(forward, total, size / n, taps);
  }
  // Between what is written over and the output.
  static TapList untouched(const NodeView& view, const Blocks& blocks, bool forward) {
    const int64_t places = view.output(0).size() / blocks.length;
    std::vector<bool> covered(static_cast<size_t>(places), false);
    for (const int64_t at : blocks.at) covered[static_cast<size_t>(at / blocks.length)] = true;
    std::vector<TapList::Tap> taps;
    for (int64_t p = 0; p < places; ++p)
      if (!covered[static_cast<size_t>(p)]) taps.push_back({p, p, 1});
    return TapList(forward, places, places, taps);
  }

  Find find_;
};

Registration picking(const std::string& op, Find find) {
  return {op, std::make_unique<Picking>(find), std::make_shared<DevicePicking>(find)};
}
Registration scatter(const std::string& op, Find find) {
  return {op, std::make_unique<Scatter>(find), std::make_shared<DeviceScatter>(find)};
}

const Registration rows[] = {
    picking("GatherElements", elements_of),
    picking("GatherND", tuples_of),
    {"TopK", std::make_unique<TopK>(), std::make_shared<DevicePicking>(largest_of)},
    scatter("Scatter", elements_of),
    scatter("ScatterElements", elements_of),
    scatter("ScatterND", tuples_of),
};

}  // namespace
}  // namespace AT_PRECISION
}  // namespace at
