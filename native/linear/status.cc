#include "linear/status.h"

namespace at::linear {

namespace {

struct Words {
  const char *name, *advice;
};

Words words(Status status) {
  switch (status) {
    case Status::solved:
      return {"solved", "Nothing: the matrix was factored."};
    case Status::converged:
      return {"converged", "Nothing: the residual is below the tolerance."};
    case Status::rank_deficient:
      return {"rank-deficient",
              "Nothing, if the solution of least norm will do; a ridge above 0 makes the matrix "
              "invertible."};
    case Status::not_positive:
      return {"not positive definite", "Raise the ridge."};
    case Status::iteration_limit:
      return {"iteration limit", "Raise options.maxIterations or options.rank, or the ridge."};
    default:
      return {"stalled",
              "Rounding hides further progress: raise the ridge, or loosen options.tolerance."};
  }
}

}  // namespace

const char* name_of(Status status) { return words(status).name; }

const char* advice(Status status) { return words(status).advice; }

}  // namespace at::linear
