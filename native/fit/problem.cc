#include "fit/problem.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "core/buffer.h"
#include "core/error.h"
#include "core/shape.h"
#include "fit/adapted_operator.h"
#include "fit/stream.h"

namespace at::fit {

namespace {

int64_t total_size(const std::vector<BlockRule>& rules) {
  int64_t total = 0;
  for (const auto& rule : rules) total = checked_add(total, rule.size());
  return total;
}

// In words that are rounded up: given as a budget, they suffice.
std::string enough(size_t bytes) {
  size_t unit = 1;
  while (bytes / unit >= 1024) unit *= 1024;
  // Half of the last digit that describe_bytes shows.
  return describe_bytes(bytes + (bytes < 100 * unit ? unit / 20 : unit / 2));
}

// Bytes that a fit takes at least, by either solver.
struct Needs {
  size_t kernel = 0, products = 0;
  bool whole = true;  // false: without what the features take
};

// Of the host's memory; a device has its own.
size_t kernel_bytes(int64_t rows, const AdaptiveOptions& options) {
  if (options.device != "cpu") return 0;
  return static_cast<size_t>(checked_mul(checked_mul(rows, rows), 8));
}

// What a fit takes whatever its features take: the kernel, and the vectors of either solver.
Needs least(int64_t rows, int64_t size, const AdaptiveOptions& options) {
  const size_t kernel = kernel_bytes(rows, options);
  const size_t vectors = static_cast<size_t>(checked_mul(2 * size + rows, 8 * options.depth + 64));
  return {kernel + vectors, vectors + product_bytes(rows, size), false};
}

Needs needs(const FeatureSet& features, const std::vector<BlockRule>& rules,
            const AdaptiveOptions& options) {
  const int64_t rows = features[0]->rows();
  size_t held = 0;
  for (const auto& f : features) held += f->bytes();
  const Needs base = least(rows, total_size(rules), options);
  if (options.device != "cpu") return {held + base.kernel, held + base.products, true};
  const size_t kernel = kernel_bytes(rows, options);
  const bool any_frozen = std::any_of(rules.begin(), rules.end(),
                                      [](const BlockRule& rule) { return !rule.adaptive(); });
  // Copies that live for a while: transformed factors of all blocks together, columns of one dense
  // block, and at ridge 0 the kernel once more where rows turn out to be redundant.
  size_t transient = options.ridge == 0 ? kernel : 0, columns = 0;
  for (const auto& f : features) {
    if (const auto* factored = dynamic_cast<const FactoredFeatures*>(f.get()))
      transient += factored->bytes();
    else
      columns = std::max(columns, stream_bytes(*f));
  }
  transient += columns;
  return {held + base.kernel + transient + (any_frozen ? kernel / 2 : 0), held + base.products,
          true};
}

[[noreturn]] void too_large(const Needs& needed, int64_t rows, const AdaptiveOptions& options) {
  const std::string need = needed.whole ? " need " : " need at least ";
  const std::string budget = " but the budget is " + describe_bytes(options.memory);
  const std::string fixed =
      "the fixed model by conjugate gradients (fitByProducts) stores neither kernel nor features";
  if (options.products)
    throw Error("MEMORY_BUDGET", "Features of " + std::to_string(rows) + " rows and the solver" +
                                     need + enough(needed.products) + budget +
                                     ": raise it, fit fewer samples or one output at a " +
                                     "time; " + fixed);
  std::string route;
  if (needed.products < needed.kernel && options.ridge > 0) {
    route = "; conjugate gradients on products (solver: 'products'), which store no kernel,";
    route += need + enough(needed.products);
    if (needed.products > options.memory) route += ", too much as well, but " + fixed;
    if (needed.products <= options.memory && needed.whole) route += " and fit";
  } else {
    route = "; " + fixed;
  }
  throw Error("MEMORY_BUDGET", "The kernel of " + std::to_string(rows) + " rows and the solver" +
                                   need + enough(needed.kernel) + budget +
                                   ": raise it, fit fewer samples or one output at a " + "time" +
                                   route);
}

void check_needs(const Needs& needed, int64_t rows, const AdaptiveOptions& options) {
  const size_t bytes = options.products ? needed.products : needed.kernel;
  if (bytes > options.memory) too_large(needed, rows, options);
}

void check_blocks(const FeatureSet& features, const std::vector<BlockRule>& rules) {
  if (features.empty() || features.size() != rules.size())
    throw Error("BAD_ARGUMENT", "Expected one rule per block of features but received " +
                                    std::to_string(rules.size()) + " for " +
                                    std::to_string(features.size()) + " blocks");
  const int64_t rows = features[0]->rows();
  for (size_t b = 0; b < features.size(); ++b) {
    if (features[b]->rows() != rows || features[b]->outputs() != features[0]->outputs())
      throw Error("BAD_ARGUMENT", "Expected the same rows in every block of features");
    if (rules[b].size() != features[b]->size() || rules[b].dims.at(0) != features[b]->m())
      throw Error("BAD_ARGUMENT", "Expected the modes of block " + std::to_string(b) +
                                      " to multiply to its " + std::to_string(features[b]->m()) +
                                      " × " + std::to_string(features[b]->k()) + " numbers");
  }
}

}  // namespace

void check_memory(int64_t rows, int64_t size, const AdaptiveOptions& options) {
  check_needs(least(rows, size, options), rows, options);
}

void check_problem(const FeatureSet& features, const std::vector<BlockRule>& rules,
                   const std::vector<double>& residual, const AdaptiveOptions& options) {
  check_blocks(features, rules);
  const int64_t rows = features[0]->rows();
  check_needs(needs(features, rules, options), rows, options);
  if (static_cast<int64_t>(residual.size()) != rows)
    throw Error("BAD_ARGUMENT", "Expected " + std::to_string(rows) + " targets but received " +
                                    std::to_string(residual.size()));
  for (int64_t r = 0; r < rows; ++r)
    if (!std::isfinite(residual[r]))
      throw Error("BAD_INPUT",
                  "Expected finite targets but the target of row " + std::to_string(r) + " is not");
  if (!(options.ridge >= 0) || !std::isfinite(options.ridge))
    throw Error("BAD_ARGUMENT", "Expected a ridge that is zero or positive");
  if (options.products && options.ridge == 0)
    throw Error("BAD_ARGUMENT",
                "Expected a ridge above 0 for a fit by products: exact interpolation needs the "
                "kernel");
  if (options.products && options.device != "cpu")
    throw Error("UNSUPPORTED",
                "There is no code for devices in fits by products; give solver: 'kernel', or "
                "device: 'cpu'");
  if (static_cast<int64_t>(options.sketch.size()) % std::max<int64_t>(rows, 1) != 0)
    throw Error("BAD_ARGUMENT", "Expected random numbers for every row of the preconditioner");
}

size_t cache_budget(const FeatureSet& features, const std::vector<BlockRule>& rules,
                    const AdaptiveOptions& options) {
  return options.products ? 0 : options.memory - needs(features, rules, options).kernel;
}

}  // namespace at::fit
