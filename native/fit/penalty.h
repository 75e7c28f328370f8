#pragma once

#include <cstdint>
#include <vector>

namespace at::fit {

// The price of a singular value v when each of `sides` transformations may stretch it by z_s ≥ 1
// (METHOD.md section 3):
//   ω̃(v) = min_z Σ_s ω_s(z_s) + v² / Π_s z_s²
// Without sides it is v² (ordinary ridge).
class Penalty {
 public:
  virtual ~Penalty() = default;
  virtual int sides() const = 0;
  // For v (count, ≥ 0): value (count) and the minimising z (sides, count). The global minimum.
  virtual void evaluate(const double* v, int64_t count, double* value, double* z) const = 0;
};

// ω_s(z) = |z − 1|^p_s, any p_s > 0; at most three sides. Good to about 1e-13 relative.
class PowerPenalty : public Penalty {
 public:
  // Throws Error("BAD_ARGUMENT") unless every power is positive and finite.
  explicit PowerPenalty(std::vector<double> powers);
  int sides() const override { return static_cast<int>(powers_.size()); }
  void evaluate(const double* v, int64_t count, double* value, double* z) const override;

 private:
  std::vector<double> powers_;
};

}  // namespace at::fit
