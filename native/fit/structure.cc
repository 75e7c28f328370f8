#include "fit/structure.h"

#include <algorithm>
#include <cfloat>
#include <cmath>
#include <utility>

#include "core/error.h"
#include "core/lapack.h"
#include "core/shape.h"
#include "linear/decomposition.h"

namespace at::fit {

namespace {

// Stretches below this do not change the kernel in double precision.
constexpr double kNoStretch = 1e-16;
// What a decomposition by Gram matrix may add to the square of M.
constexpr double kGramError = 1e-10;
constexpr int kMaxSweeps = 60;
constexpr double kSweepTolerance = 1e-13;

double square(int64_t n, const double* x) { return lapack::dot(n, x, x); }

bool is_stretch(double z) { return (z - 1) * (z + 1) >= kNoStretch; }

// Keeps the directions that are stretched: copy(j, to) writes the unit vector j (dim).
template <class Copy>
Stretch stretched(int64_t dim, int64_t count, const double* z, const Copy& copy) {
  Stretch out;
  out.dim = dim;
  const auto kept = std::count_if(z, z + count, is_stretch);
  out.z.reserve(kept);
  out.vectors.resize(kept * dim);
  double* to = out.vectors.data();
  for (int64_t j = 0; j < count; ++j) {
    if (!is_stretch(z[j])) continue;
    out.z.push_back(z[j]);
    copy(j, to);
    to += dim;
  }
  return out;
}

// Are the directions of a decomposition by Gram matrix orthonormal where it matters? Those of small
// values are off by about ε·σ₁²/σ², times what the stretch adds to the square of M.
bool trusted(const std::vector<double>& singular, const std::vector<double>& stretches) {
  const auto r = singular.size();
  for (size_t j = 0; j < stretches.size(); ++j) {
    const double v = singular[j % r], z = stretches[j];
    if (is_stretch(z) &&
        (z - 1) * (z + 1) * DBL_EPSILON * singular[0] * singular[0] > kGramError * v * v)
      return false;
  }
  return true;
}

Shaped matrix(const BlockRule& rule, const double* b, Accuracy accuracy, device::Stream* stream) {
  const int64_t m = rule.dims[0], k = rule.dims[1], r = std::min(m, k);
  Shaped out;
  out.transform = rule.identity();
  const Penalty& penalty = *rule.penalties[0];
  std::vector<double> value(r);
  const auto take = [&](linear::Decomposition&& found) {
    out.singular = std::move(found.s);
    out.u = std::move(found.u);
    out.vt = std::move(found.vt);
    out.stretches.resize(penalty.sides() * r);
    penalty.evaluate(out.singular.data(), r, value.data(), out.stretches.data());
  };
  if (accuracy == Accuracy::enough) take(linear::decompose_by_gram(m, k, b, stream));
  if (accuracy == Accuracy::full || !trusted(out.singular, out.stretches))
    take(linear::decompose(m, k, b, stream));
  for (double v : value) out.penalty += v;
  out.savings.resize(r);
  for (int64_t j = 0; j < r; ++j)
    out.savings[j] = std::max(out.singular[j] * out.singular[j] - value[j], 0.0);
  int64_t side = 0;
  if (rule.sides[0]) {
    out.transform.modes[0] =
        stretched(m, r, out.stretches.data() + side++ * r, [&](int64_t j, double* to) {
          for (int64_t i = 0; i < m; ++i) to[i] = out.u[i * r + j];
        });
  }
  if (rule.sides[1]) {
    out.transform.modes[1] =
        stretched(k, r, out.stretches.data() + side * r,
                  [&](int64_t j, double* to) { std::copy_n(out.vt.data() + j * k, k, to); });
  }
  return out;
}

Shaped diagonal(const BlockRule& rule, const double* b) {
  const int64_t n = rule.size();
  Shaped out;
  out.transform.dims = rule.dims;
  out.singular.resize(n);
  for (int64_t i = 0; i < n; ++i) out.singular[i] = std::abs(b[i]);
  std::vector<double> value(n);
  out.transform.numbers.resize(n);
  rule.penalties[0]->evaluate(out.singular.data(), n, value.data(), out.transform.numbers.data());
  for (double v : value) out.penalty += v;
  out.stretches = out.transform.numbers;
  return out;
}

Shaped flat(const BlockRule& rule, const double* b) {
  const int64_t n = rule.size();
  Shaped out;
  out.transform = rule.identity();
  out.singular = {std::sqrt(square(n, b))};
  out.stretches = {1};
  rule.penalties[0]->evaluate(out.singular.data(), 1, &out.penalty, out.stretches.data());
  const double norm = out.singular[0];
  if (norm > 0) {
    out.transform.modes[0] = stretched(n, 1, out.stretches.data(), [&](int64_t, double* to) {
      for (int64_t i = 0; i < n; ++i) to[i] = b[i] / norm;
    });
  }
  return out;
}

// (outer, dim, inner) → (dim, outer·inner)
std::vector<double> unfold(const std::vector<double>& x, int64_t outer, int64_t dim,
                           int64_t inner) {
  std::vector<double> out(x.size());
  for (int64_t o = 0; o < outer; ++o)
    for (int64_t d = 0; d < dim; ++d)
      std::copy_n(x.data() + (o * dim + d) * inner, inner, out.data() + (d * outer + o) * inner);
  return out;
}

// min over the Ms of Σ Ω_d(M_d) + ‖B with all modes undone‖², one mode at a time until it stands
// still: each step is exact, so the value falls, to a local minimum.
Shaped by_modes(const BlockRule& rule, const double* b, const Transform& before,
                device::Stream* stream) {
  const int64_t total = rule.size();
  const size_t modes = rule.dims.size();
  Shaped out;
  out.transform = before;
  std::vector<double> prices(modes, 0.0);
  std::vector<std::vector<double>> singular(modes), stretches(modes);
  double last = INFINITY;
  for (int sweep = 0; sweep < kMaxSweeps; ++sweep) {
    int64_t outer = 1;
    size_t penalty = 0;
    double whole = 0;
    for (size_t d = 0; d < modes; ++d) {
      const int64_t dim = rule.dims[d], inner = total / (outer * dim);
      if (rule.sides[d]) {
        std::vector<double> rest(b, b + total);
        Transform others = out.transform;
        others.modes[d] = Stretch{dim, {}, {}};
        others.apply(-1, rest.data());
        const std::vector<double> unfolded = unfold(rest, outer, dim, inner);
        const int64_t cols = outer * inner, r = std::min(dim, cols);
        auto [u, s, vt] = linear::decompose(dim, cols, unfolded.data(), stream);
        std::vector<double> value(r);
        singular[d] = std::move(s);
        stretches[d].resize(r);
        rule.penalties[penalty]->evaluate(singular[d].data(), r, value.data(), stretches[d].data());
        out.transform.modes[d] =
            stretched(dim, r, stretches[d].data(), [&, left = u.data()](int64_t j, double* to) {
              for (int64_t i = 0; i < dim; ++i) to[i] = left[i * r + j];
            });
        whole = 0;
        prices[d] = 0;
        for (int64_t j = 0; j < r; ++j) {
          const double left = singular[d][j] / stretches[d][j];
          whole += left * left;
          prices[d] += value[j] - left * left;
        }
        ++penalty;
      }
      outer *= dim;
    }
    out.penalty = whole;
    for (double price : prices) out.penalty += price;
    if (last - out.penalty <= kSweepTolerance * out.penalty) break;
    last = out.penalty;
  }
  for (size_t d = 0; d < modes; ++d) {
    out.singular.insert(out.singular.end(), singular[d].begin(), singular[d].end());
    out.stretches.insert(out.stretches.end(), stretches[d].begin(), stretches[d].end());
  }
  return out;
}

}  // namespace

int64_t BlockRule::size() const {
  int64_t total = 1;
  for (int64_t d : dims) total *= d;
  return total;
}

Transform BlockRule::identity() const {
  if (structure == Structure::flat) return Transform::identity({size()});
  return Transform::identity(dims);
}

bool BlockRule::adaptive() const {
  switch (structure) {
    case Structure::fixed:
      return false;
    case Structure::matrix:
    case Structure::modes:
      return std::find(sides.begin(), sides.end(), true) != sides.end();
    default:
      return true;
  }
}

void BlockRule::check() const {
  const auto need = [](bool good, const char* what) {
    if (!good) throw Error("BAD_ARGUMENT", std::string("Expected ") + what);
  };
  need(dims.size() >= 2, "at least two modes for a block");
  need(element_count(dims) > 0, "modes of at least one entry each");
  const auto sided = std::count(sides.begin(), sides.end(), true);
  switch (structure) {
    case Structure::fixed:
      return;
    case Structure::matrix:
      need(dims.size() == 2 && sides.size() == 2, "two modes and two sides for a matrix");
      need(penalties.size() == 1 && penalties[0]->sides() == sided,
           "one penalty of as many sides as are transformed");
      return;
    case Structure::modes:
      need(sides.size() == dims.size(), "one side per mode");
      need(static_cast<long>(penalties.size()) == sided, "one penalty per transformed mode");
      for (const auto& penalty : penalties)
        need(penalty->sides() == 1, "penalties of one side for separate modes");
      return;
    default:
      need(penalties.size() == 1 && penalties[0]->sides() == 1, "one penalty of one side");
  }
}

Shaped shape(const BlockRule& rule, const double* b, const Transform& before, Accuracy accuracy,
             device::Stream* stream) {
  const int64_t n = rule.size();
  if (!std::isfinite(square(n, b))) {
    throw Error("NUMERICAL",
                "The solution is no longer finite: the features or targets span too "
                "wide a range of magnitudes; scale them, or raise the ridge");
  }
  if (!rule.adaptive()) {
    Shaped out;
    out.transform = rule.identity();
    out.penalty = square(n, b);
    return out;
  }
  switch (rule.structure) {
    case Structure::matrix:
      return matrix(rule, b, accuracy, stream);
    case Structure::modes:
      return by_modes(rule, b, before, stream);
    case Structure::diagonal:
      return diagonal(rule, b);
    default:
      return flat(rule, b);
  }
}

double largest_value(const BlockRule& rule, const double* b, device::Stream* stream) {
  const int64_t n = rule.size();
  if (!rule.adaptive()) return 0;
  if (rule.structure == Structure::flat) return std::sqrt(square(n, b));
  double largest = 0;
  if (rule.structure == Structure::diagonal) {
    for (int64_t i = 0; i < n; ++i) largest = std::max(largest, std::abs(b[i]));
    return largest;
  }
  if (rule.structure == Structure::matrix)
    return linear::decompose_by_gram(rule.dims[0], rule.dims[1], b, stream).s[0];
  const std::vector<double> x(b, b + n);
  int64_t outer = 1;
  for (size_t d = 0; d < rule.dims.size(); ++d) {
    const int64_t dim = rule.dims[d], inner = n / (outer * dim);
    if (rule.sides[d]) {
      const std::vector<double> unfolded = unfold(x, outer, dim, inner);
      const auto found = linear::decompose_by_gram(dim, outer * inner, unfolded.data(), stream);
      largest = std::max(largest, found.s[0]);
    }
    outer *= dim;
  }
  return largest;
}

std::vector<Transform> without_least(const std::vector<Shaped>& shaped, double budget) {
  std::vector<double> all;
  for (const Shaped& s : shaped) all.insert(all.end(), s.savings.begin(), s.savings.end());
  std::sort(all.begin(), all.end());
  double total = 0, least = -1;
  for (double saving : all) {
    total += saving;
    if (total > budget) break;
    least = saving;
  }
  std::vector<Transform> out;
  for (const Shaped& s : shaped) {
    if (s.savings.empty()) {
      out.push_back(s.transform);
      continue;
    }
    // Savings fall with the singular values, as the stretches do.
    const auto kept = static_cast<size_t>(std::count_if(
        s.savings.begin(), s.savings.end(), [&](double saving) { return saving > least; }));
    out.push_back(Transform::identity(s.transform.dims));
    for (size_t d = 0; d < s.transform.modes.size(); ++d) {
      const Stretch& from = s.transform.modes[d];
      const size_t rank = std::min(kept, from.z.size());
      out.back().modes[d].z.assign(from.z.begin(), from.z.begin() + rank);
      out.back().modes[d].vectors.assign(from.vectors.begin(),
                                         from.vectors.begin() + rank * from.dim);
    }
  }
  return out;
}

}  // namespace at::fit
