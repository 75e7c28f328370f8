#include "jobs/sketch_plan.h"

#include <algorithm>
#include <cmath>

#include "core/error.h"

namespace at {
inline namespace AT_PRECISION {

namespace {

// Numbers that a sparse map sends to places one after another.
constexpr int64_t kRun = 256;
// A combined sketch's stage leaves one side as it is and makes the other so many times smaller,
// which makes the product of both sides cheaper by as much, but not smaller than that.
constexpr int64_t kSaving = 5, kLeast = 64;
// With one position nothing has to be formed: δhᵀ goes into the map row by row, or into a split
// map.
constexpr int64_t kFewPositions = 2;
// What adding a number to a place that is looked up takes in multiplications of a product, and to
// one after another.
constexpr int64_t kScattered = 6, kAdded = 4;
constexpr int64_t kVector = 4;

}  // namespace

SketchPlan::SketchPlan(SketchRequest request, std::vector<int64_t> sizes, std::vector<int> uses,
                       Pool& pool)
    : request_(std::move(request)),
      sizes_(std::move(sizes)),
      uses_(std::move(uses)),
      pool_(pool),
      maps_(sizes_.size()),
      kept_(sizes_.size()),
      weights_(sizes_.size(), Real(1)) {
  const size_t parameters = sizes_.size();
  const bool sound = request_.groups.size() == parameters && request_.keys.size() == parameters &&
                     (request_.stages.empty() || request_.stages.size() == 3 * parameters);
  if (!sound || request_.size < 1)
    throw Error("BAD_ARGUMENT", "A sketch needs a group and a key for each parameter");
  if (masks()) make_masks();
}

kernels::Philox SketchPlan::words(int parameter, uint32_t purpose) const {
  return {request_.seed, static_cast<uint32_t>(request_.keys[static_cast<size_t>(parameter)]),
          purpose};
}

// Place q of a group of P numbers keeps one of [qP/k, (q+1)P/k), so that each number is kept in k/P
// of all masks.
void SketchPlan::make_masks() {
  const int groups = 1 + *std::max_element(request_.groups.begin(), request_.groups.end());
  for (int g = 0; g < groups; ++g) {
    int64_t total = 0;
    for (size_t p = 0; p < sizes_.size(); ++p) total += request_.groups[p] == g ? sizes_[p] : 0;
    const double each = static_cast<double>(total) / static_cast<double>(request_.size);
    const kernels::Philox draw{request_.seed, static_cast<uint32_t>(g), kernels::kMask};
    size_t p = 0;
    int64_t start = 0;
    for (int64_t q = 0; q < request_.size; ++q) {
      const double at = static_cast<double>(draw(static_cast<uint64_t>(q))[0]) * 0x1p-32;
      const auto e = std::min(
          static_cast<int64_t>(std::floor((static_cast<double>(q) + at) * each)), total - 1);
      while (request_.groups[p] != g || e >= start + sizes_[p]) {
        start += request_.groups[p] == g ? sizes_[p] : 0;
        ++p;
      }
      kept_[p].push_back({q, e - start});
    }
    for (size_t own = 0; own < sizes_.size(); ++own)
      if (request_.groups[own] == g) weights_[own] = static_cast<Real>(std::sqrt(each));
  }
}

// Runs so short that B·U is about twice the size, which adds half the variance of a sparse map; in
// whole vectors. None where that saves nothing.
int64_t SketchPlan::chosen_run(const MatrixDims& dims) const {
  const int64_t run =
      static_cast<int64_t>(std::sqrt(static_cast<double>(dims.cols) / 2)) / kVector * kVector;
  if (run == 0) return 0;
  const int64_t sums = (dims.cols + run - 1) / run;
  const int64_t split = sums * (kScattered * dims.rows + request_.size);
  const bool cheaper = split < kAdded * dims.rows * dims.cols;
  return request_.size >= 16 * run && cheaper ? run : 0;
}

Stage SketchPlan::chosen(int parameter, const MatrixDims& dims) const {
  const int64_t rows = dims.transposed ? dims.cols : dims.rows;
  const int64_t cols = dims.transposed ? dims.rows : dims.cols;
  if (!request_.stages.empty()) {
    const size_t at = 3 * static_cast<size_t>(parameter);
    return {request_.stages[at], request_.stages[at + 1], request_.stages[at + 2]};
  }
  if (uses_[static_cast<size_t>(parameter)] != 1 || dims.groups != 1 || dims.picks) return {};
  if (request_.kind == "factored") {
    const auto root = static_cast<int64_t>(std::sqrt(static_cast<double>(request_.size)));
    const int64_t few = std::min(std::min(rows, cols), std::max<int64_t>(root, 1));
    const int64_t many = std::min(std::max(rows, cols), std::max<int64_t>(request_.size / few, 1));
    return rows <= cols ? Stage{few, many} : Stage{many, few};
  }
  if (request_.kind != "combined") return {};
  if (dims.positions < kFewPositions) return {0, 0, chosen_run(dims)};
  const int64_t large = std::max(rows, cols);
  const int64_t smaller = std::min(large, std::max(kLeast, (large + kSaving - 1) / kSaving));
  if (smaller == large) return {};
  return rows > cols ? Stage{smaller, cols} : Stage{rows, smaller};
}

const ParameterMap& SketchPlan::make(int parameter, int64_t rows, int64_t cols, int64_t left,
                                     int64_t right) {
  ParameterMap map;
  map.rows = rows;
  map.cols = cols;
  int64_t length = sizes_[static_cast<size_t>(parameter)];
  const auto side = [&](int64_t from, int64_t to, uint32_t purpose) {
    return to >= from ? nullptr
                      : std::make_shared<kernels::SparseMap>(from, to, to,
                                                             words(parameter, purpose), pool_);
  };
  if (left > 0) {
    map.left = side(rows, left, kernels::kLeft);
    map.right = side(cols, right, kernels::kRight);
    length = left * right;
  }
  // What a factored sketch has room for stays together: no two of its numbers meet.
  const bool whole = request_.kind == "factored" && length <= request_.size;
  const int64_t run = whole ? length : std::min(kRun, request_.size);
  map.last = std::make_shared<kernels::SparseMap>(length, request_.size, run,
                                                  words(parameter, kernels::kShifts), pool_);
  return maps_[static_cast<size_t>(parameter)].emplace(std::move(map));
}

const ParameterMap& SketchPlan::make_split(int parameter, const MatrixDims& dims, int64_t run) {
  ParameterMap map;
  map.split = std::make_shared<kernels::SplitMap>(dims.rows, dims.cols, request_.size, run,
                                                  words(parameter, kernels::kLeft),
                                                  words(parameter, kernels::kRight), pool_);
  return maps_[static_cast<size_t>(parameter)].emplace(std::move(map));
}

const ParameterMap& SketchPlan::of(int parameter, const MatrixDims& dims) {
  const auto& known = maps_[static_cast<size_t>(parameter)];
  if (known) return *known;
  const Stage how = chosen(parameter, dims);
  if (how.run > 0) return make_split(parameter, dims, how.run);
  const int64_t rows = dims.transposed ? dims.cols : dims.rows;
  const int64_t cols = dims.transposed ? dims.rows : dims.cols;
  return make(parameter, rows, cols, std::min(how.left, rows), std::min(how.right, cols));
}

const ParameterMap& SketchPlan::of(int parameter) {
  const auto& known = maps_[static_cast<size_t>(parameter)];
  return known ? *known : make(parameter, 0, 0, 0, 0);
}

Stage SketchPlan::stage(int parameter) const {
  const auto& map = maps_[static_cast<size_t>(parameter)];
  if (map && map->split) return {0, 0, map->split->run(), map->split->independent()};
  if (!map || !map->factored()) return {};
  return {map->left ? map->left->size() : map->rows, map->right ? map->right->size() : map->cols};
}

}  // namespace AT_PRECISION
}  // namespace at
