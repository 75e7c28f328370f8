#include "kernels/cost.h"

#include <algorithm>

#include "core/thin.h"

namespace at::kernels {

namespace {

constexpr double kFlops = 100e9;
constexpr double kBytes = 10e9;

// Seconds of a product of these inner sizes: short ones do not reach the machine's rate.
double gemm(double m, double n, double k, double times) {
  const double shape = (m / (m + 6)) * (n / (n + 6)) * (k / (k + 16));
  return times * 2 * m * n * k / (kFlops * shape);
}

// Between the picked rows of one sample and another's factors, both ways.
double cost_of_cross(const KernelTask& task, const MatrixDims& matrix, const MatrixDims& picks) {
  const double O = static_cast<double>(task.outputs), pairs = static_cast<double>(task.pairs());
  const double T = static_cast<double>(matrix.positions), m = static_cast<double>(picks.rows);
  const double rows = static_cast<double>(std::min(picks.positions, picks.cols));
  const double C = static_cast<double>(task.components());
  return 2 * pairs * rows * (gemm(O * 8, m, T, 1. / 8) + gemm(C, C * 8, m * O / C, 1. / 8));
}

}  // namespace

double cost_of(Method method, const KernelTask& task, const MatrixDims& dims) {
  const double T = static_cast<double>(dims.positions), G = static_cast<double>(dims.groups);
  const double O = static_cast<double>(task.outputs);
  const double pairs = static_cast<double>(task.pairs());
  const double n = static_cast<double>(task.samples1 + (task.symmetric ? 0 : task.samples2));
  double m = static_cast<double>(dims.rows), k = static_cast<double>(dims.cols);
  const double written = n * O * m * k * G * 8 / kBytes;
  const double expand = T == 1 || dims.picks ? written
                        : dims.share * kThin > 1
                            ? written + gemm(O * m, k, T, n * G)
                            : written + gemm(k, 1, O * m * T * dims.share, n * G);
  // The trace kernel stacks the outputs into the rows; the diagonal one takes each output alone.
  double C = O, times = 1;
  if (task.type == KernelType::kTrace) {
    m *= O;
    C = 1;
  } else if (task.type == KernelType::kDiagonal) {
    C = 1;
    times = O;
  }
  const double tile = 256;                // products over whole tiles are this large
  const double cell = 8 / kBytes * 0.25;  // an element-wise pass over a cached tile
  if (dims.picks && method != Method::kJacobian) {
    // Every position of one sample meets one of the other at most.
    return times * pairs * std::min(T, k) * (gemm(C * 8, C * 8, m, 1. / 64) + C * C * cell);
  }
  switch (method) {
    case Method::kStructured:
      if (T == 1) {
        return G * times * pairs *
               (gemm(tile, tile, k, 1 / (tile * tile)) +
                C * C * (gemm(tile, tile, m, 1 / (tile * tile)) + cell));
      }
      return G * times * pairs *
             (gemm(T, T * 8, k, 1. / 8) + gemm(T, C * m, T, 1) + gemm(C, C * 8, m, T / 8));
    case Method::kMixed:
      return expand +
             G * times * pairs * (gemm(T, C * m * 8, k, 1. / 8) + gemm(C, C * 8, m, T / 8));
    default:
      return expand + times * pairs * C * C * gemm(tile, tile, G * m * k, 1 / (tile * tile));
  }
}

Method cheapest(const KernelTask& task, const MatrixDims* matrix, const MatrixDims* picks) {
  if (task.forced != Method::kAuto) return task.forced;
  if (task.expected > 0) {
    KernelTask whole = task;
    whole.symmetric = false;
    whole.samples1 = whole.samples2 = task.expected;
    whole.expected = 0;
    return cheapest(whole, matrix, picks);
  }
  const auto cost = [&](Method method) {
    if (!picks) return cost_of(method, task, *matrix);
    if (!matrix) return cost_of(method, task, *picks);
    // Expanded into one array, or apart and with cross terms.
    if (method == Method::kJacobian) return cost_of(method, task, *matrix);
    return cost_of(method, task, *matrix) + cost_of(method, task, *picks) +
           cost_of_cross(task, *matrix, *picks);
  };
  Method best = Method::kJacobian;
  for (Method method : {Method::kStructured, Method::kMixed})
    if (cost(method) < cost(best)) best = method;
  return best;
}

}  // namespace at::kernels
