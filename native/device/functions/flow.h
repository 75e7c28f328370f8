#pragma once

#include "device/functions/exponential.h"
#include "device/functions/scale.h"
#include "device/pointer.h"

namespace at::device {

// The arrays of a Flow: the cotangent, what its derivative is made of, the result.
constexpr int kFrom = 0, kRead = 1, kReads = 4, kTo = 5, kArrays = 6;
constexpr int kMostAxes = 8;

// Axes that are walked alike in several arrays: index (i_0, i_1, …) of them lies Σ i_a·step[a] on.
struct Axes {
  int count = 0;
  int64_t size[kMostAxes] = {};
  Divider by[kMostAxes];
  int64_t step[kMostAxes][kArrays] = {};

  // Moves all arrays to flat index i.
  AT_PORTABLE void move(int64_t i, int64_t* at) const {
    for (int a = count; a-- > 0;) {
      const int64_t rest =
          i < INT32_MAX ? int64_t{by[a].quotient(static_cast<uint32_t>(i))} : i / size[a];
      const int64_t index = i - rest * size[a];
      for (int q = 0; q < kArrays; ++q) at[q] += index * step[a][q];
      i = rest;
    }
  }
};

// to = Σ d·from over axes of which `to` knows nothing, d a derivative made of what is read; nothing
// flows where nothing comes. Without `from` d itself is summed. See device/walk.h.
template <class T, class Op>
struct Flow {
  static constexpr int kBytes = 3 * sizeof(T);
  Ref<const T> from;
  Ref<const T> read[kReads];
  Ref<T> to;
  Op op;
  bool selects = false;  // as flowing() has it
  bool adds = false;     // to what `to` holds
  Axes rows, sums;
  int64_t line[kArrays] = {};
  int64_t outer = 1, inner = 1;  // of the sums: those of `sums`, and along one more axis
  int64_t inner_step[kArrays] = {};
  double moved = 0;
  double bytes() const { return moved; }

  AT_PORTABLE T value(const int64_t* at) const {
    T x[kReads] = {};
    for (int q = 0; q < kReads; ++q)
      if (q < op.reads()) x[q] = read[q][at[kRead + q]];
    const T d = op(x);
    if (!from.get()) return d;
    const T g = from[at[kFrom]];
    return selects ? flowing<true>(d, g) : flowing<false>(d, g);
  }

  struct Row {
    const Flow* f;
    int64_t at[kArrays];
    AT_PORTABLE void put_at(int64_t place, double sum) const {
      T* to = f->to + place;
      *to = static_cast<T>(f->adds ? static_cast<double>(*to) + sum : sum);
    }
    AT_PORTABLE void operator()(int64_t e) const {
      double sum = 0;
      int64_t place = at[kTo] + e * f->line[kTo];
      for (int64_t s = 0; s < f->outer; ++s) {
        int64_t here[kArrays];
        for (int q = 0; q < kArrays; ++q) here[q] = at[q] + e * f->line[q];
        f->sums.move(s, here);
        for (int64_t i = 0; i < f->inner; ++i) {
          sum += static_cast<double>(f->value(here));
          for (int q = 0; q < kArrays; ++q) here[q] += f->inner_step[q];
        }
      }
      put_at(place, sum);
    }
    AT_PORTABLE double term(int64_t e) const {
      int64_t here[kArrays];
      for (int q = 0; q < kArrays; ++q) here[q] = at[q];
      f->sums.move(e, here);
      return static_cast<double>(f->value(here));
    }
    AT_PORTABLE void put(double sum) const { put_at(at[kTo], sum); }
  };
  AT_PORTABLE Row row(int64_t r) const {
    Row found{this, {}};
    rows.move(r, found.at);
    return found;
  }
};

// d = value everywhere.
template <class T>
struct Constant {
  T value;
  AT_PORTABLE int reads() const { return 0; }
  AT_PORTABLE T operator()(const T*) const { return value; }
};

// d = what is read.
template <class T>
struct Factor {
  AT_PORTABLE int reads() const { return 1; }
  AT_PORTABLE T operator()(const T* x) const { return x[0]; }
};

// 1/√(variance + ε) of a line that is normalised by its own; no number where that is not finite.
template <class T>
AT_PORTABLE T normal_slope(T variance, T epsilon) {
  return variance - variance == 0 ? 1 / std::sqrt(variance + epsilon) : T(NAN);
}

// Derivatives of functions of several operands, and what they are read from.
enum class Kind {
  kQuotient,     // of a/b by a: b
  kDivisor,      // of a/b by b: b, y
  kBase,         // of a^b by a: a, b
  kExponent,     // of a^b by b: a, b, y
  kModulus,      // of fmod(a, b) by b: a, b
  kEqual,        // 1 where both are
  kTie,          // the same over the number of those that are: x, y, their number
  kAbove,        // of PRelu by x: x, slope
  kBelow,        // of PRelu by the slope: x
  kOtherwise,    // 1 − x
  kWithin,       // 1 between a and b: x
  kUnder,        // of a clip by its lower bound a
  kOver,         // of a clip by its upper bound b
  kChannel,      // scale/√(variance + a): scale, variance
  kNormal,       // (x − mean)/√(variance + a): x, mean, variance
  kMean,         // −scale/√(variance + a)
  kVariance,     // of what is normalised by the variance: x, mean, variance, scale
  kTwice,        // 2x
  kSign,         // of |x|
  kShare,        // x/y, 0 where y is
  kExpMinus,     // exp(−y)
  kExpDistance,  // exp(x − y)
  kScaled,       // a·x
  kSquares,      // a·(x − mean)²
  kAffine,       // a·x + b
  kPower,        // x^a
  kRatio,        // x/y
  kInverseNorm,  // of Σ|x|^a, a 1 or 2; 0 where it is
  kRetracted,    // −n times the norm's own derivative: y or x, n
  kOuterPower,   // y^(1 − a), 0 where y is: of the norm of many by the a-th power of one
  kInnerPower,   // ±|x|^(a − 1), of that power
  kDeviation,    // (x − mean)/√(variance + a), no number where the variance is not finite
};

template <class T>
struct Partial {
  Kind kind;
  T a = 0, b = 0;

  AT_PORTABLE int reads() const {
    switch (kind) {
      case Kind::kVariance:
        return 4;
      case Kind::kExponent:
      case Kind::kTie:
      case Kind::kNormal:
      case Kind::kDeviation:
        return 3;
      case Kind::kDivisor:
      case Kind::kBase:
      case Kind::kModulus:
      case Kind::kEqual:
      case Kind::kAbove:
      case Kind::kChannel:
      case Kind::kMean:
      case Kind::kShare:
      case Kind::kExpDistance:
      case Kind::kSquares:
      case Kind::kRatio:
      case Kind::kRetracted:
        return 2;
      default:
        return 1;
    }
  }

  AT_PORTABLE T operator()(const T* x) const {
    const T none = T(0), one = T(1);
    switch (kind) {
      case Kind::kQuotient:
        return 1 / x[0];
      case Kind::kDivisor:
        return -x[1] * (1 / x[0]);
      case Kind::kBase:
        return x[1] == 0 ? none : x[1] == 2 ? 2 * x[0] : x[1] * std::pow(x[0], x[1] - 1);
      case Kind::kExponent:
        return x[0] == 0 && x[1] >= 0 ? none : x[2] * std::log(x[0]);
      case Kind::kModulus:
        return -std::trunc(x[0] / x[1]);
      case Kind::kEqual:
        return x[0] == x[1] ? one : none;
      case Kind::kTie:
        return x[0] == x[1] ? 1 / (x[2] > 1 ? x[2] : one) : none;
      case Kind::kAbove:
        return x[0] > 0 ? one : x[1];
      case Kind::kBelow:
        return x[0] > 0 ? none : x[0];
      case Kind::kOtherwise:
        return 1 - x[0];
      case Kind::kWithin:
        return x[0] >= a && x[0] <= b ? one : none;
      case Kind::kUnder:
        return x[0] < a && a < b ? one : none;
      case Kind::kOver:
        return x[0] > b || a > b ? one : none;
      case Kind::kChannel:
        return x[0] * inverse(x[1]);
      case Kind::kNormal:
        return (x[0] - x[1]) * inverse(x[2]);
      case Kind::kMean:
        return -x[0] * inverse(x[1]);
      case Kind::kVariance: {
        const T inv = inverse(x[2]);
        return T(-0.5) * x[3] * inv * inv * inv * (x[0] - x[1]);
      }
      case Kind::kTwice:
        return 2 * x[0];
      case Kind::kSign:
        return x[0] > 0 ? one : x[0] < 0 ? -one : none;
      case Kind::kShare:
        return x[1] > 0 ? x[0] / x[1] : none;
      case Kind::kExpMinus:
        return exponential(-x[0]);
      case Kind::kExpDistance:
        return exponential(x[0] - x[1]);
      case Kind::kScaled:
        return a * x[0];
      case Kind::kSquares:
        return a * (x[0] - x[1]) * (x[0] - x[1]);
      case Kind::kAffine:
        return a * x[0] + b;
      case Kind::kPower:
        return std::pow(x[0], a);
      case Kind::kRatio:
        return x[0] / x[1];
      case Kind::kInverseNorm:
        return x[0] > 0 ? 1 / (a == 2 ? std::sqrt(x[0]) : x[0]) : none;
      case Kind::kRetracted:
        return a == 2 ? -x[0] * x[1] : x[0] > 0 ? -x[1] : x[0] < 0 ? x[1] : none;
      case Kind::kOuterPower:
        return x[0] > 0 ? std::pow(x[0], 1 - a) : none;
      case Kind::kInnerPower:
        return x[0] == 0 ? none : std::copysign(std::pow(std::fabs(x[0]), a - 1), x[0]);
      case Kind::kDeviation:
        return (x[0] - x[1]) * normal_slope(x[2], a);
    }
    return none;
  }
  AT_PORTABLE T inverse(T variance) const { return 1 / std::sqrt(variance + a); }
};

}  // namespace at::device
