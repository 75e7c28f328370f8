#pragma once

#include <optional>
#include <string>
#include <vector>

#include "graph/tape.h"
#include "reverse/analysis.h"

namespace at {
inline namespace AT_PRECISION {

// Shapes of one forward run, indexed by value id; `known` tells which were given.
struct ShapeRun {
  int64_t samples = 0;
  std::vector<bool> known;
  std::vector<Shape> shapes;
};

// Where the samples lie in every value, for any number of them.
class BatchLayout {
 public:
  struct Mixing {
    std::string node;
    std::string why;
  };
  // From two runs with different numbers of samples, or one run of a single sample. Returns what
  // mixes samples, if anything does; then the layout must not be used.
  std::optional<Mixing> infer(const Analysis& analysis, const ShapeRun& first,
                              const ShapeRun* second);

  // Activation::batch_stride of value `id` when it has `shape` in a run of `samples`.
  int64_t batch_stride(int id, const Shape& shape, int64_t samples) const;
  bool known(int id) const { return id < static_cast<int>(places_.size()) && places_[id].known; }

 private:
  struct Place {
    bool known = false;
    bool batched = false;
    bool whole = false;  // one sample is the whole value (single-sample runs)
    size_t axis = 0;     // the axis that grows with the samples: size outer · n · inner
    int64_t inner = 1;
  };
  std::optional<Mixing> place(const Analysis& analysis, const Node* producer, int id,
                              const ShapeRun& a, const ShapeRun& b);
  // What to say when the network's output is the same for every sample.
  std::optional<Mixing> constant_output(const Tape& tape) const;
  std::vector<Place> places_;
};

}  // namespace AT_PRECISION
}  // namespace at
