#pragma once

#include <map>
#include <memory>
#include <tuple>
#include <vector>

#include "device/functions/project.h"
#include "device/pending.h"
#include "jobs/sketch_plan.h"
#include "reverse/on_device.h"

namespace at {
inline namespace AT_PRECISION {

// The maps of a plan in a device's memory, where they stay for all blocks. Signs are drawn there.
class DeviceMaps {
 public:
  explicit DeviceMaps(std::shared_ptr<device::Stream> stream) : stream_(std::move(stream)) {}

  device::MapTable<Real> table(const kernels::SparseMap& map);
  // What a mask keeps of a parameter: places, rows and columns of a matrix that is stored rows × k,
  // or k × rows when transposed.
  struct Mask {
    device::Buffer<int32_t> places, rows, columns;
    int64_t count = 0;
  };
  const Mask& mask(int parameter, const std::vector<Kept>& kept, const MatrixDims& dims);

 private:
  struct Held {
    device::Buffer<int32_t> shifts, starts, runs;
    DeviceNumbers signs;
  };

  std::shared_ptr<device::Stream> stream_;
  std::map<const kernels::SparseMap*, Held> maps_;
  std::map<std::tuple<int, int64_t, bool>, Mask> masks_;  // by parameter and how it is stored
};

// Where a pass on a device adds to sketches: of every group (n, count, size), which come down into
// rows of the results when all is added.
class DeviceSketchSink final : public DeviceSink {
 public:
  // `host` takes what nodes on the host give, and writes to the results itself.
  DeviceSketchSink(std::shared_ptr<device::Stream> stream, DeviceMaps& maps, SketchPlan& plan,
                   FeatureSink& host, int64_t samples, int64_t count, Pool& pool);

  void matrix(int parameter, MatrixUse use) override;
  void dense(int parameter, int64_t count, int64_t samples,
             std::shared_ptr<Real> features) override;
  void matrix_on_device(int parameter, DeviceMatrixUse use) override;
  void dense_on_device(int parameter, int64_t count, int64_t samples,
                       DeviceNumbers features) override;
  // Adds to results[g], whose rows (n, count, size) begin there and are `stride` numbers apart from
  // sample to sample; they hold what the host gave, or 0. They are there when `pending` is settled
  // and the stream was waited for.
  void finish(const std::vector<Real*>& results, int64_t stride, device::Pending& pending);

 private:
  bool serves(int parameter, const MatrixDims& dims) const;
  device::SketchRows<Real> rows(int parameter, int64_t first);
  // Numbers x (samples, C, P) of the samples from `first` on.
  void add_numbers(int parameter, const DeviceNumbers& x, int64_t first, int64_t samples);
  void add_product(int parameter, const kernels::SparseMap& map, const DeviceMatrixUse& use);
  // The features of a use that are formed a few samples at a time, as stored.
  void add_formed(int parameter, const kernels::SparseMap& map, const DeviceMatrixUse& use);
  void add_through(int parameter, const kernels::SparseMap& map, const DeviceMatrixUse& use);
  void add_mask(int parameter, const DeviceMatrixUse& use);
  void project(int parameter, const kernels::SparseMap& map, const DeviceNumbers& x, int64_t first,
               int64_t samples);
  DeviceNumbers mapped(const kernels::SparseMap* map, const DeviceNumbers& from, int64_t rows);

  std::shared_ptr<device::Stream> stream_;
  DeviceMaps& maps_;
  SketchPlan& plan_;
  FeatureSink& host_;
  int64_t samples_, count_;
  Pool& pool_;
  std::vector<DeviceNumbers> sums_;  // of each group
  bool host_adds_ = false;
};

}  // namespace AT_PRECISION
}  // namespace at
