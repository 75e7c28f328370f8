#include "jobs/kernel_job.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "core/error.h"
#include "core/parallel.h"
#include "jobs/jobs.h"
#include "jobs/tiled_job.h"

namespace at {
inline namespace AT_PRECISION {

KernelJob::KernelJob(const Tape& tape, JobSettings settings, KernelTask task,
                     std::vector<Real*> results, std::optional<Path> path)
    : Job(tape, std::move(settings)),
      task_(std::move(task)),
      results_(std::move(results)),
      path_(std::move(path)) {
  cut({0, 0, task_.outputs}, chosen_size());
  begin();
}

// Outputs per block: all, where the cotangents of one sample fit well. Else few enough that the
// samples fit together, so that their forward runs and features serve all pairs; but not so few
// that forward runs take more than the passes back.
int64_t KernelJob::chosen_size() const {
  const int64_t most = outputs_at_once();
  if (settings_.output_block > 0 || most == task_.outputs) return most;
  const auto quarter = static_cast<int64_t>(std::min<size_t>(settings_.memory / 4, INT64_MAX / 2));
  if (task_.type == KernelType::kFull) {
    const auto pairs = static_cast<double>(task_.samples1) * static_cast<double>(task_.samples2);
    const double kernels = 4.0 * pairs * static_cast<double>(results_.size());
    const auto fitting = static_cast<int64_t>(std::sqrt(static_cast<double>(quarter) / kernels));
    return std::clamp<int64_t>(fitting, 1, most);
  }
  const int64_t samples = std::max(task_.samples1, task_.samples2);
  const int64_t together =
      std::min(quarter / (samples * (bytes_per_cotangent() + 1)), 4096 / samples);
  return std::clamp<int64_t>(together, std::min<int64_t>(8, most), most);
}

// Blocks of one size, of which the last overlaps the one before it; those of a trace kernel do not,
// since what they give is added up.
void KernelJob::cut(const Piece& piece, int64_t size) {
  const int64_t blocks = (piece.count + size - 1) / size;
  const bool adds = task_.type == KernelType::kTrace;
  const auto start = [&](int64_t b) {
    return adds ? b * size : std::min(b * size, piece.count - size);
  };
  const auto push = [&](int64_t r, int64_t c) {
    const int64_t count = adds ? std::min(size, piece.count - r * size) : size;
    pieces_.push_back({piece.row + start(r), piece.col + start(c), count});
    settings_.control.expect(2 * pairs_of(pieces_.back()));
  };
  for (int64_t r = blocks; r-- > 0;) {
    if (task_.type != KernelType::kFull) {
      push(r, r);
      continue;
    }
    // Of a kernel with itself the transposed pair is the same one.
    const bool half = task_.symmetric && piece.square();
    for (int64_t c = half ? r + 1 : blocks; c-- > 0;) push(r, c);
  }
}

int64_t KernelJob::pairs_of(const Piece& piece) const {
  return task_.symmetric && piece.square() ? task_.pairs() : task_.samples1 * task_.samples2;
}

int64_t KernelJob::part_size(int64_t count) const {
  const int64_t pairs = checked_mul(task_.samples1, task_.samples2);
  if (task_.type == KernelType::kTrace) return pairs;
  return checked_mul(pairs, task_.type == KernelType::kFull ? checked_mul(count, count) : count);
}

void KernelJob::begin() {
  piece_ = pieces_.back();
  pieces_.pop_back();
  parts_.clear();
  change_.reset();
  std::vector<Real*> results = results_;
  JobSettings settings = settings_;
  std::optional<Path> path = path_;
  at_once_ = piece_.count;
  KernelTask task = task_;
  std::vector<int64_t> other;
  if (piece_.count < task_.outputs) {
    const int64_t bytes = checked_mul(part_size(piece_.count), sizeof(Real));
    const int64_t all = checked_mul(bytes, static_cast<int64_t>(results_.size()));
    if (static_cast<uint64_t>(all) > settings_.memory / 2) {
      throw Error(
          "MEMORY_BUDGET",
          "The kernel of a block of " + std::to_string(piece_.count) + " of " +
              std::to_string(task_.outputs) + " outputs takes " +
              describe_bytes(static_cast<size_t>(all)) + " but the memory budget leaves " +
              describe_bytes(settings_.memory) +
              " in addition to the result; take fewer samples or outputs, or raise the budget");
    }
    for (Real*& result : results) {
      parts_.push_back(pool_.take<Real>(part_size(piece_.count)));
      result = parts_.back().get();
    }
    const auto range = [&](int64_t first) {
      const auto begin = settings_.outputs.begin() + first;
      return std::vector<int64_t>(begin, begin + piece_.count);
    };
    settings.memory -= static_cast<size_t>(all);
    settings.outputs = range(piece_.row);
    task.outputs = piece_.count;
    task.symmetric = task_.symmetric && piece_.square();
    if (!piece_.square()) other = range(piece_.col);
    if (path && path->change) {
      path->change = nullptr;
      if (piece_.square()) {
        change_ = pool_.take<Real>(task_.samples1 * piece_.count);
        path->change = change_.get();
      }
    }
  }
  inner_ = std::make_unique<NtkJob>(tape_, std::move(settings), pool_, std::move(task),
                                    std::move(results), std::move(path), std::move(other));
}

std::optional<Want> KernelJob::next() {
  if (!inner_) return std::nullopt;
  auto want = inner_->next();
  // Of X with itself there is no other side, also where a pair of blocks has two.
  if (want && task_.symmetric) want->side = 0;
  return want;
}

void KernelJob::compute(const Frame& frame) {
  const Want asked = *next();
  const auto same = [&](const Want& want) {
    return want.side == asked.side && want.first == asked.first && want.count == asked.count &&
           want.node == asked.node && want.passes == asked.passes;
  };
  // As long as the same samples are wanted their forward run is used again.
  for (std::optional<Want> want = asked; want && same(*want); want = next()) {
    inner_->compute(frame);
    if (!inner_->next()) settle();
  }
}

void KernelJob::settle() {
  if (settings_.pending) settings_.pending->settle();
  for (size_t g = 0; g < parts_.size(); ++g) place(parts_[g].get(), results_[g]);
  if (change_) place_change();
  added_ = true;
  methods_ = inner_->methods();
  inner_.reset();
  if (pieces_.empty()) {
    parts_.clear();
    change_.reset();
  } else {
    begin();
  }
}

void KernelJob::place(const Real* part, Real* result) const {
  const int64_t N1 = task_.samples1, N2 = task_.samples2, O = task_.outputs;
  const int64_t n = piece_.count;
  if (task_.type == KernelType::kTrace) {
    parallel_for(N1 * N2, 1 << 16, [&](int64_t first, int64_t last) {
      for (int64_t e = first; e < last; ++e) result[e] = added_ ? result[e] + part[e] : part[e];
    });
    return;
  }
  const size_t bytes = static_cast<size_t>(n) * sizeof(Real);
  if (task_.type == KernelType::kDiagonal) {
    parallel_for(N1 * N2, grain_for(n), [&](int64_t first, int64_t last) {
      for (int64_t e = first; e < last; ++e)
        std::memcpy(result + e * O + piece_.row, part + e * n, bytes);
    });
    return;
  }
  parallel_for(N1 * n, grain_for(N2 * n), [&](int64_t first, int64_t last) {
    for (int64_t r = first; r < last; ++r) {
      const int64_t row = r / n * O + piece_.row + r % n;
      const Real* from = part + r * N2 * n;
      for (int64_t j = 0; j < N2; ++j)
        std::memcpy(result + (row * N2 + j) * O + piece_.col, from + j * n, bytes);
      if (!task_.symmetric || piece_.square()) continue;
      for (int64_t j = 0; j < N2; ++j)
        for (int64_t p = 0; p < n; ++p)
          result[(j * O + piece_.col + p) * N1 * O + row] = from[j * n + p];
    }
  });
}

void KernelJob::place_change() const {
  const int64_t n = piece_.count;
  for (int64_t i = 0; i < task_.samples1; ++i)
    std::memcpy(path_->change + i * task_.outputs + piece_.row, change_.get() + i * n,
                static_cast<size_t>(n) * sizeof(Real));
}

bool KernelJob::shrink(int64_t samples) {
  if (inner_ && inner_->shrink(samples)) return true;
  if (piece_.count <= 1) return false;
  inner_.reset();
  settings_.control.expect(-2 * pairs_of(piece_));
  cut(piece_, (piece_.count + 1) / 2);
  begin();
  return true;
}

namespace {

KernelType to_kernel(const std::string& name) {
  if (name == "full") return KernelType::kFull;
  if (name == "trace") return KernelType::kTrace;
  if (name == "diagonal") return KernelType::kDiagonal;
  throw Error("BAD_ARGUMENT", "Expected full, trace or diagonal for kernel but received " + name);
}

Method to_method(const std::string& name) {
  for (Method method : {Method::kAuto, Method::kJacobian, Method::kStructured, Method::kMixed})
    if (name == kernels::name_of(method)) return method;
  throw Error("BAD_ARGUMENT",
              "Expected auto, jacobian, structured or mixed for method but received " + name);
}

}  // namespace

KernelTask task_of(const JobRequest& request) {
  const Options& options = request.options;
  KernelTask task;
  task.type = to_kernel(options.text("kernel"));
  task.forced = to_method(options.text("method"));
  if (options.has("methods")) {
    for (int64_t number : options.integers("methods")) {
      if (number > static_cast<int64_t>(Method::kMixed))
        throw Error("BAD_ARGUMENT", "Expected the number of a method");
      task.chosen.push_back(static_cast<Method>(number));
    }
    if (task.chosen.size() != request.sizes.size())
      throw Error("BAD_ARGUMENT", "One method per parameter was expected");
  }
  task.expected = options.integer_or("expected", 0);
  task.symmetric = !options.has("samples2");
  task.samples1 = request.settings.samples;
  task.samples2 = options.integer_or("samples2", task.samples1);
  task.outputs = static_cast<int64_t>(request.settings.outputs.size());
  task.groups = options.ints("groups");
  if (task.samples2 < 1) throw Error("BAD_ARGUMENT", "X2 needs at least one sample");
  if (task.groups.size() != request.sizes.size())
    throw Error("BAD_ARGUMENT", "One group per parameter was expected");
  return task;
}

std::vector<Real*> results_of(const JobRequest& request, const KernelTask& task, int64_t numbers) {
  int kernels = 0;
  for (int group : task.groups) {
    if (group < 0) throw Error("BAD_ARGUMENT", "A group has no result");
    kernels = std::max(kernels, group + 1);
  }
  std::vector<Real*> results;
  for (int g = 0; g < kernels; ++g)
    results.push_back(request.result(static_cast<size_t>(g), numbers));
  return results;
}

namespace {

const JobKind ntk("ntk", [](JobRequest& request) -> std::unique_ptr<Job> {
  KernelTask task = task_of(request);
  if (request.options.has("tile")) {
    const int64_t size = request.options.integer("tile");
    if (size < 1 || request.options.has("path"))
      throw Error("BAD_ARGUMENT", "Tiles have a size, and no path");
    TileGrid grid(task.symmetric, task.samples1, task.samples2, size,
                  request.options.integers("finished"));
    return std::make_unique<TiledKernelJob>(request.tape, std::move(request.settings),
                                            std::move(task), std::move(grid));
  }
  const int64_t pairs = checked_mul(task.samples1, task.samples2);
  auto results = results_of(request, task, checked_mul(pairs, task.numbers_of_pair()));
  auto path = request.path(results.size());
  return std::make_unique<KernelJob>(request.tape, std::move(request.settings), std::move(task),
                                     std::move(results), std::move(path));
});

}  // namespace

}  // namespace AT_PRECISION
}  // namespace at
