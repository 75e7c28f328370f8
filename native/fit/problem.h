#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "fit/adaptive.h"

namespace at::fit {

// Throws Error("MEMORY_BUDGET") when a fit of so many rows and numbers in B does not fit, however
// little its features take: asked before they are computed.
void check_memory(int64_t rows, int64_t size, const AdaptiveOptions& options);

// Throws for features, rules, targets or options that do not make a problem, or one that does not
// fit the memory budget.
void check_problem(const FeatureSet& features, const std::vector<BlockRule>& rules,
                   const std::vector<double>& residual, const AdaptiveOptions& options);
// Bytes that the budget leaves for caches next to the kernel, of a problem that was checked.
size_t cache_budget(const FeatureSet& features, const std::vector<BlockRule>& rules,
                    const AdaptiveOptions& options);

}  // namespace at::fit
