#include "linear/kernel_measures.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/blas.h"
#include "core/error.h"
#include "core/lapack.h"
#include "core/parallel.h"
#include "device/open.h"
#include "linear/alignment.h"
#include "linear/spectrum.h"

namespace at::linear {

namespace {

constexpr double kUndefined = std::numeric_limits<double>::quiet_NaN();

MatrixView view_of(int64_t n, const float* matrix) { return {n, n, matrix, nullptr}; }

TargetFactor centred(int64_t n, const TargetFactor& target) {
  TargetFactor out = target;
  for (int64_t c = 0; c < target.columns; ++c) {
    double mean = 0;
    for (int64_t i = 0; i < n; ++i) mean += target.y[i * target.columns + c];
    mean /= static_cast<double>(n);
    for (int64_t i = 0; i < n; ++i) out.y[i * target.columns + c] -= mean;
  }
  return out;
}

// Inner products of K with itself, with the initial and the previous kernel and with the targets,
// all of them as they are or all doubly centred.
struct Products {
  double kk = 0, ki = 0, ii = 0, kp = 0, pp = 0;
  double kernel_initial = 0;  // ‖K − K_0‖²
  double kernel_previous = 0;
  std::vector<double> kt, it, tt;  // per target
};

Products products(const KernelQuestion& q, const std::vector<TargetFactor>& targets, bool centre,
                  const Control& control) {
  const int64_t n = q.n, pieces = (n + kSumRows - 1) / kSumRows;
  Means kernel_means, initial_means, previous_means;
  if (centre) {
    kernel_means = means_of(view_of(n, q.kernel), true);
    if (q.initial) initial_means = means_of(view_of(n, q.initial), true);
    if (q.previous) previous_means = means_of(view_of(n, q.previous), true);
  }
  const size_t own = 7;
  PartialSums sums(pieces, own + 3 * targets.size());
  parallel_for(pieces, 1, [&](int64_t first, int64_t last) {
    std::vector<double> k(n), a(n), b(n), gap(n), tile;
    for (int64_t piece = first; piece < last; ++piece) {
      control.poll();
      const int64_t from = piece * kSumRows, rows = std::min(kSumRows, n - from);
      double* sum = sums.piece(piece);
      const auto compare = [&](const float* other, const Means& means, int64_t i, double* row,
                               double* into) {
        read_row(view_of(n, other), i, centre ? &means : nullptr, row);
        into[0] += lapack::dot(n, k.data(), row);
        into[1] += lapack::dot(n, row, row);
        for (int64_t j = 0; j < n; ++j) gap[j] = k[j] - row[j];
        into[2] += lapack::dot(n, gap.data(), gap.data());
      };
      tile.resize(static_cast<size_t>(targets.size() * rows * n));
      for (size_t t = 0; t < targets.size(); ++t) {
        const auto& [y, columns] = targets[t];
        blas::gemm(false, true, rows, n, columns, 1.0, y.data() + from * columns, columns, y.data(),
                   columns, 0.0, tile.data() + static_cast<int64_t>(t) * rows * n, n);
      }
      for (int64_t i = from; i < from + rows; ++i) {
        read_row(view_of(n, q.kernel), i, centre ? &kernel_means : nullptr, k.data());
        sum[0] += lapack::dot(n, k.data(), k.data());
        if (q.initial) compare(q.initial, initial_means, i, a.data(), sum + 1);
        if (q.previous) compare(q.previous, previous_means, i, b.data(), sum + 4);
        for (size_t t = 0; t < targets.size(); ++t) {
          const double* row = tile.data() + (static_cast<int64_t>(t) * rows + i - from) * n;
          double* into = sum + own + 3 * t;
          into[0] += lapack::dot(n, k.data(), row);
          if (q.initial) into[1] += lapack::dot(n, a.data(), row);
          into[2] += lapack::dot(n, row, row);
        }
      }
    }
  });
  const std::vector<double> s = sums.total();
  Products out;
  out.kk = s[0];
  out.ki = s[1], out.ii = s[2], out.kernel_initial = s[3];
  out.kp = s[4], out.pp = s[5], out.kernel_previous = s[6];
  for (size_t t = 0; t < targets.size(); ++t) {
    out.kt.push_back(s[own + 3 * t]);
    out.it.push_back(s[own + 3 * t + 1]);
    out.tt.push_back(s[own + 3 * t + 2]);
  }
  return out;
}

// What needs the norms and the weights: ‖K/‖K‖ − A/‖A‖‖² for both kernels, and
// ‖K − w_initial·K_0 − w_target·T‖².
struct Differences {
  double initial = 0, previous = 0, rest = 0;
};

Differences differences(const KernelQuestion& q, const TargetFactor* target, const Products& p,
                        double w_initial, double w_target, const Control& control) {
  const int64_t n = q.n, pieces = (n + kSumRows - 1) / kSumRows;
  PartialSums sums(pieces, 3);
  const double unit = 1 / std::sqrt(p.kk), unit_initial = 1 / std::sqrt(p.ii),
               unit_previous = 1 / std::sqrt(p.pp);
  parallel_for(pieces, 1, [&](int64_t first, int64_t last) {
    std::vector<double> gap(n), tile;
    for (int64_t piece = first; piece < last; ++piece) {
      control.poll();
      const int64_t from = piece * kSumRows, rows = std::min(kSumRows, n - from);
      double* sum = sums.piece(piece);
      if (target) {
        tile.resize(static_cast<size_t>(rows * n));
        blas::gemm(false, true, rows, n, target->columns, w_target,
                   target->y.data() + from * target->columns, target->columns, target->y.data(),
                   target->columns, 0.0, tile.data(), n);
      }
      const auto add = [&](double& into, const float* k, double scale, const float* a,
                           double other) {
        for (int64_t j = 0; j < n; ++j) gap[j] = scale * k[j] - other * a[j];
        into += lapack::dot(n, gap.data(), gap.data());
      };
      for (int64_t i = from; i < from + rows; ++i) {
        const float* k = q.kernel + i * n;
        if (q.initial) add(sum[0], k, unit, q.initial + i * n, unit_initial);
        if (q.previous) add(sum[1], k, unit, q.previous + i * n, unit_previous);
        if (!q.initial || !target) continue;
        const float* a = q.initial + i * n;
        const double* t = tile.data() + (i - from) * n;
        for (int64_t j = 0; j < n; ++j) gap[j] = k[j] - w_initial * a[j] - t[j];
        sum[2] += lapack::dot(n, gap.data(), gap.data());
      }
    }
  });
  const std::vector<double> s = sums.total();
  return {s[0], s[1], s[2]};
}

// Least squares of K on K_0 and T. Where they are parallel, K_0 alone.
void split(const Products& p, double& w_initial, double& w_target) {
  const double determinant = p.ii * p.tt[0] - p.it[0] * p.it[0];
  if (determinant > 1e-14 * p.ii * p.tt[0]) {
    w_initial = (p.ki * p.tt[0] - p.kt[0] * p.it[0]) / determinant;
    w_target = (p.kt[0] * p.ii - p.ki * p.it[0]) / determinant;
  } else if (p.ii > 0) {
    w_initial = p.ki / p.ii;
  } else if (p.tt[0] > 0) {
    w_target = p.kt[0] / p.tt[0];
  }
}

void spectrum(const KernelQuestion& q, const std::vector<TargetFactor>& targets,
              const std::vector<int64_t>& energies, KernelMeasures& out) {
  const int64_t n = q.n;
  const bool vectors = !targets.empty() && !energies.empty();
  const auto stream = device::open_stream(q.device, SIZE_MAX);
  const Spectrum found(n, std::vector<double>(q.kernel, q.kernel + n * n), vectors, stream.get());
  out.eigenvalues = found.values();
  out.effective_rank = found.effective_rank();
  if (!vectors) return;
  // Below this an eigenvalue of a single-precision kernel is rounding, its eigenvector arbitrary.
  const double rounding = std::max(1e-7 * out.eigenvalues.front(), -out.eigenvalues.back());
  const int64_t most = std::min(n, *std::max_element(energies.begin(), energies.end()));
  for (size_t t = 0; t < targets.size(); ++t) {
    const auto& [y, columns] = targets[t];
    std::vector<double> parts(static_cast<size_t>(most * columns)), reached(most + 1, 0.0);
    blas::gemm(false, false, most, columns, n, 1.0, found.vectors().data(), n, y.data(), columns,
               0.0, parts.data(), columns);
    for (int64_t j = 0; j < most; ++j) {
      const double* part = parts.data() + j * columns;
      const bool real = out.eigenvalues[j] > rounding;
      reached[j + 1] = reached[j] + (real ? lapack::dot(columns, part, part) : 0.0);
    }
    const double whole = lapack::dot(n * columns, y.data(), y.data());
    for (int64_t k : energies)
      out.targets[t].energy.push_back(whole > 0 ? reached[std::min(k, most)] / whole : kUndefined);
  }
}

}  // namespace

KernelMeasures measure_kernel(const KernelQuestion& q, const std::vector<TargetFactor>& targets,
                              const std::vector<int64_t>& energies, const Control& control) {
  KernelMeasures out;
  for (int64_t i = 0; i < q.n; ++i) out.trace += q.kernel[i * q.n + i];
  const Products plain = products(q, targets, false, control);
  if (!std::isfinite(plain.kk)) throw Error("NUMERICAL", "Expected a finite kernel");
  std::vector<TargetFactor> moved;
  for (const TargetFactor& target : targets) moved.push_back(centred(q.n, target));
  const Products middle = products(q, moved, true, control);
  const bool splits = q.initial && !targets.empty();
  if (splits) split(plain, out.w_initial, out.w_target);
  const Differences gaps = differences(q, splits ? targets.data() : nullptr, plain, out.w_initial,
                                       out.w_target, control);
  out.norm = std::sqrt(plain.kk);
  out.participation = plain.kk > 0 ? out.trace * out.trace / plain.kk : 0;
  const auto size = [&](double square) {
    return plain.kk > 0 ? std::sqrt(square / plain.kk) : kUndefined;
  };
  out.rest = size(gaps.rest);
  if (splits) {
    out.initial_size = size(out.w_initial * out.w_initial * plain.ii);
    out.target_size = size(out.w_target * out.w_target * plain.tt[0]);
  }
  const auto change = [&](double inner, double other, double gap, double turned, double inner_c,
                          double other_c) {
    const bool defined = plain.kk > 0 && other > 0;
    return KernelChange{cosine(inner, plain.kk, other),
                        centred_cosine({inner_c, middle.kk, other_c}, plain.kk, other),
                        other > 0 ? std::sqrt(gap / other) : kUndefined,
                        defined ? turned / 2 : kUndefined};
  };
  if (q.initial)
    out.initial =
        change(plain.ki, plain.ii, plain.kernel_initial, gaps.initial, middle.ki, middle.ii);
  if (q.previous)
    out.previous =
        change(plain.kp, plain.pp, plain.kernel_previous, gaps.previous, middle.kp, middle.pp);
  for (size_t t = 0; t < targets.size(); ++t) {
    TargetMeasures of;
    of.alignment = cosine(plain.kt[t], plain.kk, plain.tt[t]);
    of.centred = centred_cosine({middle.kt[t], middle.kk, middle.tt[t]}, plain.kk, plain.tt[t]);
    out.targets.push_back(of);
  }
  if (q.spectrum) {
    control.poll();
    spectrum(q, targets, energies, out);
  }
  return out;
}

void add_kernels(int64_t count, const std::vector<const float*>& parts, float* out) {
  parallel_for(count, grain_for(static_cast<int64_t>(parts.size())),
               [&](int64_t first, int64_t last) {
                 for (int64_t e = first; e < last; ++e) {
                   double sum = 0;
                   for (const float* part : parts) sum += part[e];
                   out[e] = static_cast<float>(sum);
                 }
               });
}

}  // namespace at::linear
