#pragma once

#include "device/functions/exponential.h"

namespace at::device {

// Elementary functions of one variable, and their derivatives: of y for those that say so, of x.
enum class Function {
  kExp,  // of y
  kLog,
  kSqrt,        // of y
  kReciprocal,  // of y
  kNeg,
  kAbs,
  kErf,
  kSin,
  kCos,
  kTan,  // of y
  kAsin,
  kAcos,
  kAtan,
  kSinh,
  kCosh,
  kAsinh,
  kAcosh,
  kAtanh,
};

template <Function f, class T>
AT_PORTABLE T elementary_slope(T v) {
  if constexpr (f == Function::kExp) return v;
  if constexpr (f == Function::kLog) return 1 / v;
  if constexpr (f == Function::kSqrt) return T(0.5) / v;
  if constexpr (f == Function::kReciprocal) return -v * v;
  if constexpr (f == Function::kNeg) return T(-1);
  if constexpr (f == Function::kAbs) return v > 0 ? T(1) : v < 0 ? T(-1) : T(0);
  if constexpr (f == Function::kErf) return T(1.1283791670955126) * exponential(-v * v);
  if constexpr (f == Function::kSin) return std::cos(v);
  if constexpr (f == Function::kCos) return -std::sin(v);
  if constexpr (f == Function::kTan) return 1 + v * v;
  if constexpr (f == Function::kAsin) return 1 / std::sqrt(1 - v * v);
  if constexpr (f == Function::kAcos) return -1 / std::sqrt(1 - v * v);
  if constexpr (f == Function::kAtan) return 1 / (1 + v * v);
  if constexpr (f == Function::kSinh) return std::cosh(v);
  if constexpr (f == Function::kCosh) return std::sinh(v);
  if constexpr (f == Function::kAsinh) return 1 / std::sqrt(v * v + 1);
  if constexpr (f == Function::kAcosh) return 1 / std::sqrt(v * v - 1);
  if constexpr (f == Function::kAtanh) return 1 / (1 - v * v);
}

// One function of the card's for all of them.
template <class T>
struct Elementary {
  Function f;
  AT_PORTABLE T operator()(T v) const {
    switch (f) {
      case Function::kExp:
        return elementary_slope<Function::kExp>(v);
      case Function::kLog:
        return elementary_slope<Function::kLog>(v);
      case Function::kSqrt:
        return elementary_slope<Function::kSqrt>(v);
      case Function::kReciprocal:
        return elementary_slope<Function::kReciprocal>(v);
      case Function::kNeg:
        return elementary_slope<Function::kNeg>(v);
      case Function::kAbs:
        return elementary_slope<Function::kAbs>(v);
      case Function::kErf:
        return elementary_slope<Function::kErf>(v);
      case Function::kSin:
        return elementary_slope<Function::kSin>(v);
      case Function::kCos:
        return elementary_slope<Function::kCos>(v);
      case Function::kTan:
        return elementary_slope<Function::kTan>(v);
      case Function::kAsin:
        return elementary_slope<Function::kAsin>(v);
      case Function::kAcos:
        return elementary_slope<Function::kAcos>(v);
      case Function::kAtan:
        return elementary_slope<Function::kAtan>(v);
      case Function::kSinh:
        return elementary_slope<Function::kSinh>(v);
      case Function::kCosh:
        return elementary_slope<Function::kCosh>(v);
      case Function::kAsinh:
        return elementary_slope<Function::kAsinh>(v);
      case Function::kAcosh:
        return elementary_slope<Function::kAcosh>(v);
      default:
        return elementary_slope<Function::kAtanh>(v);
    }
  }
};

}  // namespace at::device
