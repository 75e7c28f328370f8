#include "rules/support/axis_map.h"

#include <cstring>

#include "core/parallel.h"
#include "rules/support/batch.h"

namespace at {
inline namespace AT_PRECISION {

namespace {

struct Run {
  int64_t out, in, length;
};

struct Axis {
  int64_t out = 1, in = 1;
  std::vector<Run> runs;  // stretches in which both sides advance by one
  bool injective = true;  // no input index is read twice
  bool covering = true;   // every input index is read
  bool identity() const {
    return runs.size() == 1 && out == in && runs[0].length == out && covering;
  }
};

// Output indices for which keep() holds.
template <class Keep>
Axis axis_of(int64_t out, int64_t in, const std::vector<int64_t>& from, const Keep& keep) {
  Axis axis;
  axis.out = out;
  axis.in = in;
  std::vector<bool> seen(static_cast<size_t>(in), false);
  int64_t distinct = 0;
  for (int64_t o = 0; o < out; ++o) {
    const int64_t i = from.empty() ? o : from[o];
    if (i < 0 || !keep(o)) continue;
    if (seen[i]) {
      axis.injective = false;
    } else {
      seen[i] = true;
      ++distinct;
    }
    if (!axis.runs.empty()) {
      Run& last = axis.runs.back();
      if (last.out + last.length == o && last.in + last.length == i) {
        ++last.length;
        continue;
      }
    }
    axis.runs.push_back({o, i, 1});
  }
  axis.covering = distinct == in;
  return axis;
}

Axis whole(int64_t size) {
  Axis axis;
  axis.out = axis.in = size;
  axis.runs.push_back({0, 0, size});
  return axis;
}

class Copier {
 public:
  explicit Copier(std::vector<Axis> axes) {
    while (!axes.empty() && axes.back().identity()) {
      unit_ *= axes.back().out;
      axes.pop_back();
    }
    for (Axis& axis : axes) {
      if (!axes_.empty() && axis.identity() && axes_.back().identity()) {
        axes_.back() = whole(axes_.back().out * axis.out);
      } else {
        axes_.push_back(std::move(axis));
      }
    }
    if (axes_.empty()) axes_.push_back(whole(1));
    int64_t out = unit_, in = unit_;
    out_step_.resize(axes_.size());
    in_step_.resize(axes_.size());
    for (size_t a = axes_.size(); a-- > 0;) {
      out_step_[a] = out;
      in_step_[a] = in;
      out *= axes_[a].out;
      in *= axes_[a].in;
      injective_ = injective_ && axes_[a].injective;
    }
    out_size_ = out;
  }

  bool sums() const { return !injective_; }

  void run(const Real* out, Real* in, int64_t count, int64_t in_stride) const {
    // Pieces of the first axis do not meet in the input where it is injective.
    const bool split = axes_.size() > 1 && axes_[0].injective;
    std::vector<Run> pieces;
    if (split) {
      for (const Run& run : axes_[0].runs)
        for (int64_t e = 0; e < run.length; ++e) pieces.push_back({run.out + e, run.in + e, 1});
    }
    const int64_t each = split ? static_cast<int64_t>(pieces.size()) : 1;
    if (each == 0) return;
    parallel_for(count * each, grain_for(out_size_ / each), [&](int64_t first, int64_t last) {
      for (int64_t item = first; item < last; ++item) {
        const Real* from = out + item / each * out_size_;
        Real* to = in + item / each * in_stride;
        if (!split) {
          walk(0, from, to);
          continue;
        }
        const Run& piece = pieces[item % each];
        walk(1, from + piece.out * out_step_[0], to + piece.in * in_step_[0]);
      }
    });
  }

 private:
  void walk(size_t depth, const Real* out, Real* in) const {
    const bool last = depth + 1 == axes_.size();
    for (const Run& run : axes_[depth].runs) {
      const Real* from = out + run.out * out_step_[depth];
      Real* to = in + run.in * in_step_[depth];
      if (!last) {
        for (int64_t e = 0; e < run.length; ++e)
          walk(depth + 1, from + e * out_step_[depth], to + e * in_step_[depth]);
        continue;
      }
      const int64_t length = run.length * unit_;
      if (injective_) {
        std::memcpy(to, from, sizeof(Real) * length);
      } else {
        for (int64_t e = 0; e < length; ++e) to[e] += from[e];
      }
    }
  }

  int64_t unit_ = 1, out_size_ = 1;
  std::vector<Axis> axes_;
  std::vector<int64_t> out_step_, in_step_;
  bool injective_ = true;
};

// A slice of everything, a pad of nothing.
bool is_identity(const AxisMap& map) {
  if (map.in != map.out) return false;
  for (const auto& from : map.from)
    for (size_t o = 0; o < from.size(); ++o)
      if (from[o] != static_cast<int64_t>(o)) return false;
  return true;
}

}  // namespace

void reverse_copy(Call& call, int j, int k, const AxisMap& map) {
  if (is_identity(map) && !call.per_sample(k)) return call.pass(j, k);
  const int64_t samples = call.per_sample(k) ? call.samples() : 1;
  const int64_t in_size = element_count(map.in), out_size = element_count(map.out);
  const int64_t stride = call.output(j).batch_stride;
  Real* in = call.in(k);
  // The axis that holds the samples: (outer, samples, inner).
  size_t batch_axis = map.out.size();
  int64_t inner = 1;
  if (samples > 1) {
    int64_t below = 1;
    for (size_t a = map.out.size(); a-- > 0; below *= map.out[a]) {
      if (stride >= below * map.out[a] || stride % below != 0) continue;
      batch_axis = a;
      inner = stride / below;
      break;
    }
    if (batch_axis == map.out.size()) throw Error("FAILED", "The samples lie nowhere in a value");
  }
  std::vector<Copier> copiers;
  bool covering = out_size > 0;
  for (int64_t s = 0; s < samples; ++s) {
    std::vector<Axis> axes;
    for (size_t a = 0; a < map.out.size(); ++a) {
      axes.push_back(axis_of(map.out[a], map.in[a], map.from[a], [&](int64_t o) {
        return a != batch_axis || o / inner % samples == s;
      }));
      covering = covering && axes.back().covering;
    }
    copiers.emplace_back(std::move(axes));
  }
  bool sums = false;
  for (const Copier& copier : copiers) sums = sums || copier.sums();
  if (!covering || sums) fill_zero(in, call.count() * samples * in_size);
  if (out_size == 0) return;
  for (int64_t s = 0; s < samples; ++s)
    copiers[s].run(call.out(j), in + s * in_size, call.count(), samples * in_size);
}

Real* forward_copy(TangentCall& call, int k, int j, const AxisMap& map) {
  const int64_t in_size = element_count(map.in), out_size = element_count(map.out);
  const Real* in = call.in(k);
  Real* out = call.out(j);
  if (out_size == 0) return out;
  // Where each row of the last axis starts in the input; −1: constants.
  const size_t rank = map.out.size();
  const int64_t width = rank == 0 ? 1 : map.out[rank - 1];
  const std::vector<int64_t> none;
  const std::vector<int64_t>& last_from = rank == 0 ? none : map.from[rank - 1];
  const Shape strides = row_major_strides(map.in);
  const int64_t rows = out_size / width;
  std::vector<int64_t> starts(static_cast<size_t>(rows));
  for (int64_t r = 0; r < rows; ++r) {
    int64_t rest = r, at = 0;
    for (size_t a = rank; a-- > 1 && at >= 0;) {
      const size_t axis = a - 1;
      const int64_t o = rest % map.out[axis];
      rest /= map.out[axis];
      const int64_t i = map.from[axis].empty() ? o : map.from[axis][static_cast<size_t>(o)];
      at = i < 0 ? -1 : at + i * strides[axis];
    }
    starts[static_cast<size_t>(r)] = at;
  }
  parallel_for(call.count() * rows, grain_for(width), [&](int64_t first, int64_t last) {
    for (int64_t item = first; item < last; ++item) {
      const int64_t start = starts[static_cast<size_t>(item % rows)];
      const Real* from = in + item / rows * in_size + start;
      Real* to = out + item * width;
      if (start < 0) {
        std::memset(to, 0, sizeof(Real) * width);
      } else if (last_from.empty()) {
        std::memcpy(to, from, sizeof(Real) * width);
      } else {
        for (int64_t o = 0; o < width; ++o)
          to[o] = last_from[o] < 0 ? Real(0.0) : from[last_from[o]];
      }
    }
  });
  return out;
}

}  // namespace AT_PRECISION
}  // namespace at
