#include "jobs/device_form.h"

#include "device/functions/arrange.h"

namespace at {
inline namespace AT_PRECISION {

DeviceNumbers formed(device::Stream& stream, const DeviceMatrixUse& use,
                     const kernels::Range& samples) {
  const int64_t G = use.dims.groups, T = use.dims.positions, m = use.dims.rows, k = use.dims.cols;
  const int64_t C = use.count, n = samples.size, size = G * m * k;
  const int64_t sample_delta = G * T * C * m, sample_h = G * T * k;
  const bool turned = use.dims.transposed;
  const DeviceNumbers x = stream.take<Real>(checked_mul(n * C, size));
  // All cotangents of a sample in one product; or else one call for all products that differ in
  // one index, that of which there are more.
  const bool together = G == 1 && !turned;
  const bool by_samples = together || n >= C;
  device::Product<Real> p;
  p.trans_a = true;
  p.m = turned ? k : together ? C * m : m;
  p.n = turned ? m : k;
  p.k = T;
  p.ldc = p.n;
  p.batch = by_samples ? n : C;
  p.step_c = by_samples ? C * size : size;
  const int64_t step_delta = by_samples ? sample_delta : m, step_h = by_samples ? sample_h : 0;
  const int64_t others = together ? 1 : by_samples ? C : n;
  for (int64_t g = 0; g < G; ++g) {
    for (int64_t other = 0; other < others; ++other) {
      const auto delta = device::Pointer<const Real>(use.delta.at(
          samples.first * sample_delta + g * T * C * m + other * (by_samples ? m : sample_delta)));
      const auto h = device::Pointer<const Real>(
          use.h.at(samples.first * sample_h + g * T * k + (by_samples ? 0 : other * sample_h)));
      p.a = turned ? h : delta, p.lda = turned ? k : C * m, p.step_a = turned ? step_h : step_delta;
      p.b = turned ? delta : h, p.ldb = turned ? C * m : k, p.step_b = turned ? step_delta : step_h;
      p.c = x.at(g * m * k + other * (by_samples ? size : C * size));
      stream.multiply(p);
    }
  }
  return x;
}

DeviceNumbers formed_bias(device::Stream& stream, const DeviceMatrixUse& use) {
  if (use.dims.positions == 1) return use.delta;
  const int64_t width = use.count * use.dims.rows;
  const DeviceNumbers x = stream.take<Real>(use.samples * width);
  device::for_rows(stream, use.samples, width,
                   device::SumAround<Real>{use.delta.at(), x.at(), use.dims.positions, width, 1});
  return x;
}

DeviceNumbers by_sample(device::Stream& stream, DeviceNumbers features, int64_t count,
                        int64_t samples, int64_t size) {
  if (count == 1 || samples == 1) return features;
  const DeviceNumbers x = stream.take<Real>(count * samples * size);
  device::for_rows(stream, count * samples, size,
                   device::SwapAxes<Real>{features.at(), x.at(), count, samples, size});
  return x;
}

}  // namespace AT_PRECISION
}  // namespace at
