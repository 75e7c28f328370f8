#include "jobs/sketch_job.h"

#include <algorithm>
#include <memory>
#include <vector>

#include "core/blas.h"
#include "core/error.h"
#include "core/parallel.h"
#include "jobs/jobs.h"
#include "reverse/pass.h"

namespace at {
inline namespace AT_PRECISION {

using kernels::SparseMap;

// Adds every parameter's features to the sketches of the pass's rows.
class SketchJob::Sink final : public FeatureSink {
 public:
  // The pass's first row is number `first` of the sample's.
  Sink(SketchJob& job, int64_t rows, int64_t first) : job_(job), rows_(rows), first_(first) {}

  void matrix(int p, MatrixUse use) override {
    if (use.bias >= 0) bias(use);
    if (job_.plan_.masks()) return mask(p, use);
    const ParameterMap& map = job_.plan_.of(p, use.dims);
    if (map.split) return split(p, *map.split, use);
    if (map.factored()) return factored(p, map, use);
    if (use.dims.picks) return picked(p, *map.last, use);
    formed(p, *map.last, use);
  }

  void dense(int p, int64_t count, int64_t samples, std::shared_ptr<Real> features) override {
    const int64_t P = job_.plan_.elements(p);
    const SparseMap* map = map_of(p);
    each_row(samples, count, P, [&](int64_t i, int64_t c) {
      add(p, map, features.get() + (c * samples + i) * P, row(p, i, c));
    });
  }

 private:
  Real* row(int p, int64_t i, int64_t c) const {
    const auto& request = job_.plan_.request();
    return job_.results_[static_cast<size_t>(request.groups[static_cast<size_t>(p)])] +
           ((job_.at_ + i) * rows_ + first_ + c) * request.size;
  }

  template <class Body>
  void each_row(int64_t samples, int64_t count, int64_t cost, const Body& body) const {
    parallel_for(samples * count, grain_for(cost), [&](int64_t begin, int64_t end) {
      for (int64_t ic = begin; ic < end; ++ic) body(ic / count, ic % count);
    });
  }

  // Of a parameter whose numbers are there; null of masks.
  const SparseMap* map_of(int p) const {
    return job_.plan_.masks() ? nullptr : job_.plan_.of(p).last.get();
  }

  void add(int p, const SparseMap* map, const Real* from, Real* to) const {
    if (map) return map->add(from, 0, 1, 0, map->length(), to, 0);
    for (const Kept& one : job_.plan_.kept(p))
      to[one.place] += job_.plan_.weight(p) * from[one.element];
  }

  // Σ_t δ[i,t,c,:]
  void bias(const MatrixUse& use) {
    const int p = use.bias;
    const SparseMap* map = map_of(p);
    const int64_t T = use.dims.positions, m = use.dims.rows, C = use.count;
    each_row(use.samples, C, T * m, [&](int64_t i, int64_t c) {
      std::vector<Real> sum(static_cast<size_t>(m), Real(0));
      for (int64_t t = 0; t < T; ++t) {
        const Real* delta = use.delta.get() + ((i * T + t) * C + c) * m;
        for (int64_t r = 0; r < m; ++r) sum[static_cast<size_t>(r)] += delta[r];
      }
      add(p, map, sum.data(), row(p, i, c));
    });
  }

  void picked(int p, const SparseMap& map, const MatrixUse& use) {
    const int64_t T = use.dims.positions, m = use.dims.rows, k = use.dims.cols, C = use.count;
    const bool turned = use.dims.transposed;
    each_row(use.samples, C, T * m, [&](int64_t i, int64_t c) {
      Real* to = row(p, i, c);
      for (int64_t t = 0; t < T; ++t) {
        const Real* delta = use.delta.get() + ((i * T + t) * C + c) * m;
        const int64_t column = (*use.columns)[static_cast<size_t>(i * T + t)];
        if (turned) {
          map.add(delta, 0, 1, column * m, m, to, 0);
        } else {
          for (int64_t r = 0; r < m; ++r) map.add_one(r * k + column, delta[r], to);
        }
      }
    });
  }

  // body(i, c, n) for the cotangents [c, c + n) of sample i: several share the work on a map.
  template <class Body>
  void some_rows(int64_t samples, int64_t count, const Body& body, int64_t together = 8) const {
    const int64_t most = std::clamp<int64_t>(samples * count / (4 * concurrency()), 1, together);
    const int64_t parts = (count + most - 1) / most;
    parallel_for(samples * parts, 1, [&](int64_t begin, int64_t end) {
      for (int64_t at = begin; at < end; ++at) {
        const int64_t c = at % parts * count / parts;
        body(at / parts, c, (at % parts + 1) * count / parts - c);
      }
    });
  }

  void split(int p, const kernels::SplitMap& map, const MatrixUse& use) {
    const int64_t T = use.dims.positions, C = use.count;
    const int64_t m = use.dims.rows, k = use.dims.cols, size = job_.plan_.request().size;
    some_rows(
        use.samples, C,
        [&](int64_t i, int64_t c, int64_t n) {
          use.control.poll();
          for (int64_t it = i * T; it < (i + 1) * T; ++it)
            map.add(use.delta.get() + (it * C + c) * m, m, n, use.h.get() + it * k, row(p, i, c),
                    size);
        },
        kSplitTogether);
  }

  // X itself, some rows at a time.
  void formed(int p, const SparseMap& map, const MatrixUse& use) {
    const int64_t G = use.dims.groups, T = use.dims.positions, C = use.count;
    const int64_t m = use.dims.rows, k = use.dims.cols;
    const bool turned = use.dims.transposed;
    const int64_t size = map.size();
    some_rows(use.samples, C, [&](int64_t i, int64_t c, int64_t n) {
      use.control.poll();
      Real* to = row(p, i, c);
      for (int64_t g = 0; g < G; ++g) {
        const int64_t ig = i * G + g, start = g * m * k;
        const Real* delta = use.delta.get() + (ig * T * C + c) * m;  // positions C·m apart
        const Real* h = use.h.get() + ig * T * k;
        if (T == 1 && turned) {
          for (int64_t b = 0; b < n; ++b)
            for (int64_t q = 0; q < k; ++q)
              map.add_multiples(delta + b * m, h + q, 0, 1, start + q * m, m, to + b * size, 0);
        } else if (T == 1) {
          for (int64_t r = 0; r < m; ++r)
            map.add_multiples(h, delta + r, m, n, start + r * k, k, to, size);
        } else {
          products(map, {delta, C * m, h, T, m, k, turned}, n, start, to);
        }
      }
    });
  }

  // (P_left X P_rightᵀ) from the factors.
  void factored(int p, const ParameterMap& map, const MatrixUse& use) {
    const int64_t T = use.dims.positions, C = use.count, samples = use.samples;
    const bool turned = use.dims.transposed;
    const SparseMap* of_delta = turned ? map.right.get() : map.left.get();
    const SparseMap* of_h = turned ? map.left.get() : map.right.get();
    const int64_t m = of_delta ? of_delta->size() : use.dims.rows;
    const int64_t k = of_h ? of_h->size() : use.dims.cols;
    const auto delta = mapped(of_delta, use.delta, samples * T * C, use.dims.rows);
    const auto h = mapped(of_h, use.h, samples * T, use.dims.cols);
    some_rows(samples, C, [&](int64_t i, int64_t c, int64_t n) {
      use.control.poll();
      const Real* d = delta.get() + (i * T * C + c) * m;
      products(*map.last, {d, C * m, h.get() + i * T * k, T, m, k, turned}, n, 0, row(p, i, c));
    });
  }

  // The factors of one sample's rows: δ (T, …, m) whose positions are `step` apart, h (T, k).
  struct Factors {
    const Real* delta;
    int64_t step;
    const Real* h;
    int64_t T, m, k;
    bool turned;
  };

  // Σ_t δ ⊗ h of n rows into their sketches, in tiles of what is stored; the first number is the
  // parameter's number `start`.
  void products(const SparseMap& map, const Factors& of, int64_t n, int64_t start, Real* to) const {
    const auto& [delta, step, h, T, m, k, turned] = of;
    const int64_t rows = turned ? k : m, cols = turned ? m : k, size = map.size();
    const int64_t tile = std::clamp<int64_t>(kTile / (n * cols), 1, rows);
    auto x = std::make_unique<Real[]>(static_cast<size_t>(n * tile * cols));
    for (int64_t r = 0; r < rows; r += tile) {
      const int64_t some = std::min(tile, rows - r);
      for (int64_t b = 0; b < n; ++b) {
        Real* own = x.get() + b * some * cols;
        if (turned) {
          blas::gemm(true, false, some, m, T, Real(1), h + r, k, delta + b * m, step, Real(0), own,
                     m);
        } else {
          blas::gemm(true, false, some, k, T, Real(1), delta + b * m + r, step, h, k, Real(0), own,
                     k);
        }
      }
      map.add(x.get(), some * cols, n, start + r * cols, some * cols, to, size);
    }
  }

  // The rows of an array (count, length), mapped.
  std::shared_ptr<Real> mapped(const SparseMap* map, const std::shared_ptr<Real>& from,
                               int64_t count, int64_t length) const {
    if (!map) return from;
    const int64_t size = map->size();
    auto to = job_.pool_.take<Real>(checked_mul(count, size));
    parallel_for(count, grain_for(length), [&](int64_t begin, int64_t end) {
      std::fill(to.get() + begin * size, to.get() + end * size, Real(0));
      map->add(from.get() + begin * length, length, end - begin, 0, length, to.get() + begin * size,
               size);
    });
    return to;
  }

  // Some numbers of X, each the sum over the positions.
  void mask(int p, const MatrixUse& use) {
    const int64_t T = use.dims.positions, C = use.count, G = use.dims.groups;
    const int64_t m = use.dims.rows, k = use.dims.cols;
    const auto& kept = job_.plan_.kept(p);
    const auto cost = static_cast<int64_t>(kept.size()) * T;
    each_row(use.samples, C, cost, [&](int64_t i, int64_t c) {
      Real* to = row(p, i, c);
      for (const Kept& one : kept) {
        const int64_t g = one.element / (m * k), e = one.element % (m * k);
        const int64_t r = use.dims.transposed ? e % m : e / k;
        const int64_t q = use.dims.transposed ? e / m : e % k;
        const int64_t ig = i * G + g;
        const Real* delta = use.delta.get() + (ig * T * C + c) * m + r;
        Real sum = 0;
        if (use.dims.picks) {
          for (int64_t t = 0; t < T; ++t)
            if ((*use.columns)[static_cast<size_t>(i * T + t)] == q) sum += delta[t * C * m];
        } else {
          const Real* h = use.h.get() + ig * T * k + q;
          for (int64_t t = 0; t < T; ++t) sum += delta[t * C * m] * h[t * k];
        }
        to[one.place] += job_.plan_.weight(p) * sum;
      }
    });
  }

  // Numbers of X that are formed at a time, and rows that share the work on a split map.
  static constexpr int64_t kTile = 1 << 18, kSplitTogether = 16;

  SketchJob& job_;
  int64_t rows_;
  int64_t first_;
};

SketchJob::SketchJob(const Tape& tape, JobSettings settings, SketchRequest request, int64_t columns,
                     const Real* heads, std::vector<Real*> results)
    : SweepJob(tape, std::move(settings), heads ? columns : 0),
      plan_(std::move(request), at::parameter_sizes(tape), parameter_uses(tape), pool_),
      columns_(columns),
      heads_(heads),
      results_(std::move(results)) {}

void SketchJob::block(const Frame& frame) {
  const auto outputs = static_cast<int64_t>(settings_.outputs.size());
  const int64_t rows = heads_ ? columns_ : outputs, size = plan_.request().size;
  for (Real* result : results_) {
    Real* own = result + at_ * rows * size;
    std::fill(own, own + frame.samples * rows * size, Real(0));
  }
  if (heads_) {
    const Real* weights = heads_ + at_ * outputs * columns_;
    return pass(frame, columns_, 0,
                weighted_seed(tape_, frame, settings_.outputs, columns_, weights, pool_));
  }
  blocks_of_outputs(settings_.outputs, at_once_, [&](const auto& some, int64_t first) {
    pass(frame, static_cast<int64_t>(some.size()), first, unit_seed(tape_, frame, some, pool_));
  });
}

void SketchJob::pass(const Frame& frame, int64_t count, int64_t first, std::shared_ptr<Real> seed) {
  const int64_t rows = heads_ ? columns_ : static_cast<int64_t>(settings_.outputs.size());
  Sink sink(*this, rows, first);
  if (settings_.stream) {
    if (!maps_) maps_ = std::make_unique<DeviceMaps>(settings_.stream);
    DeviceSketchSink there(settings_.stream, *maps_, plan_, sink, frame.samples, count, pool_);
    pass_on_device(frame, count, std::move(seed), there);
    const int64_t size = plan_.request().size;
    std::vector<Real*> begins;
    for (Real* result : results_) begins.push_back(result + (at_ * rows + first) * size);
    return there.finish(begins, rows * size, *settings_.pending);
  }
  reverse_pass(tape_, frame, count, std::move(seed), pool_, settings_.control, sink);
}

std::vector<Record> SketchJob::report() const {
  std::vector<Record> records;
  for (size_t p = 0; p < tape_.parameters.size(); ++p) {
    const Stage how = plan_.stage(static_cast<int>(p));
    records.push_back({{"left", how.left},
                       {"right", how.right},
                       {"run", how.run},
                       {"independent", how.independent}});
  }
  return records;
}

namespace {

const JobKind sketch("sketch", [](JobRequest& request) -> std::unique_ptr<Job> {
  const Options& options = request.options;
  SketchRequest asked;
  asked.kind = options.text("map");
  asked.size = options.integer("size");
  asked.seed = static_cast<uint64_t>(options.integer("seed"));
  asked.groups = options.ints("groups");
  asked.keys = options.integers("keys");
  asked.stages = options.integers("stages");
  const int64_t columns = request.columns();
  const bool given = options.has("heads");
  const Real* heads = given ? options.reals("heads", request.image_size(columns)) : nullptr;
  const int64_t rows =
      given ? checked_mul(request.settings.samples, columns) : request.image_size(1);
  int groups = 0;
  for (int g : asked.groups) groups = std::max(groups, g + 1);
  std::vector<Real*> results;
  for (int g = 0; g < groups; ++g)
    results.push_back(request.result(static_cast<size_t>(g), checked_mul(rows, asked.size)));
  return std::make_unique<SketchJob>(request.tape, std::move(request.settings), std::move(asked),
                                     columns, heads, std::move(results));
});

}  // namespace

}  // namespace AT_PRECISION
}  // namespace at
