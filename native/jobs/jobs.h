#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "jobs/job.h"
#include "jobs/options.h"
#include "jobs/path.h"

namespace at {
inline namespace AT_PRECISION {

// Elements of every parameter, from the shapes known before anything runs.
std::vector<int64_t> parameter_sizes(const Tape& tape);

// What a job is made of.
struct JobRequest {
  JobRequest(const Tape& network, const Extent& extent, const Options& given, Control control);
  const Tape& tape;
  const Options& options;
  JobSettings settings;
  std::vector<int64_t> sizes;  // elements of every parameter

  // Numbers of (samples, outputs, columns).
  int64_t image_size(int64_t columns) const;
  // options.columns, 1 where it is missing.
  int64_t columns() const;
  // Result `index`, which must hold so many numbers.
  Real* result(size_t index, int64_t count) const;
  // The first results, one per parameter: `times` its elements.
  std::vector<Real*> parameter_results(int64_t times) const;
  // One array (columns, …shape) per parameter, null where zero; those of a path from `first` on.
  std::vector<const Real*> directions(const std::vector<Reals>& arrays, int64_t columns,
                                      size_t first = 0) const;
  // options.path, whose change is the result after `results` others.
  std::optional<Path> path(size_t results) const;
};

// A kind of job, by the name that lib/runtime/jobs gives it. Registered where it is defined:
//   const JobKind vjp("vjp", [](JobRequest& request) -> std::unique_ptr<Job> { … });
class JobKind {
 public:
  using Make = std::unique_ptr<Job> (*)(JobRequest& request);
  JobKind(const char* name, Make make);
};

std::unique_ptr<Job> make_job(const std::string& kind, JobRequest request);

}  // namespace AT_PRECISION
}  // namespace at
