#pragma once

#include <functional>
#include <vector>

#include "core/buffer.h"
#include "jobs/block.h"
#include "reverse/sink.h"

namespace at {
inline namespace AT_PRECISION {

// Turns the features of one reverse pass into a Block: adds up the uses of each parameter, joins a
// bias to its weight where both add to the same result, and brings every term into the
// representation that its method wants.
class BlockCollector final : public MultipliedSink {
 public:
  // sizes[p] is parameter p's number of elements, uses[p] how many inputs of nodes it is.
  // With `take` it is given every unit as soon as that is known, and the block stays empty.
  BlockCollector(const KernelTask& task, std::vector<int64_t> sizes, std::vector<int> uses,
                 Pool& pool, std::function<void(Unit)> take = {});

  void matrix(int parameter, MatrixUse use) override;
  bool multiplies_out(int parameter, const MatrixDims& dims) const override;
  void dense(int parameter, int64_t count, int64_t samples,
             std::shared_ptr<Real> features) override;
  void multiplied(int parameter, int64_t count, int64_t samples,
                  std::shared_ptr<Real> features) override;

  // Tells how a parameter was treated whose features others have.
  void treat(int parameter, Method method);

  // Consumes what was collected: call it once. methods[p] is set to how parameter p was treated.
  Block finish(int64_t first, int64_t samples, int64_t count, std::vector<Method>& methods);

 private:
  struct Collected {
    std::vector<MatrixUse> uses;
    std::vector<std::pair<int, size_t>> biases;  // (parameter, index into its uses)
    std::shared_ptr<Real> dense;                 // (C, n, P)
    // Each (n, C, P), of a use.
    std::vector<std::shared_ptr<Real>> multiplied;
    // Are some of the features formed already?
    bool formed() const { return dense || !multiplied.empty(); }
  };
  // All uses of a weight are there and alike: makes its unit, with its bias where that joins.
  void settle(int parameter);
  // The same of features that were formed, where the parameter has one use.
  void settle_alone(int parameter, int64_t samples, int64_t count);
  bool alike(const std::vector<MatrixUse>& uses) const;
  bool joins_bias(int weight) const;
  MatrixUse concatenated(std::vector<MatrixUse>& uses, bool with_ones);
  bool lazy(const MatrixUse& use) const;
  void add(Unit unit);
  // The unit is complete but for what the use gives.
  void add_factored(const Unit& kind, const MatrixUse& use);
  void add_expanded(Unit unit, MatrixUse use);
  void add_dense(int parameter, int64_t samples, int64_t count);

  const KernelTask& task_;
  std::vector<int64_t> sizes_;
  std::vector<int> use_counts_;
  Pool& pool_;
  std::function<void(Unit)> take_;
  std::vector<Collected> collected_;
  std::vector<Unit> units_;
  std::vector<Method> methods_;
  std::vector<bool> done_;
};

}  // namespace AT_PRECISION
}  // namespace at
