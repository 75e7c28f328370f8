#pragma once

#include <cstdint>
#include <deque>
#include <vector>

namespace at::device {

// How products of float are computed. TF32 rounds their factors to 10 bits behind the point, which
// a card's tensor cores multiply several times faster.
enum class Precision { kFloat32, kTf32 };

// How far products in TF32 are off: parts of some of them are computed both ways.
struct MeasuredError {
  double largest = 0;   // ‖TF32 − float32‖ / ‖float32‖ of the part where that is largest
  int64_t sampled = 0;  // parts
};

// The sample: it takes the first products, then every so many of them.
class ProductSample {
 public:
  // Rows and columns of a product that are computed both ways.
  static constexpr int64_t kSide = 32;

  // One part, both ways, once they have come down.
  struct Part {
    std::vector<float> tf32, float32;
  };
  // Is a part of the next product to be computed both ways?
  bool takes_next();
  // Where those `count` numbers come down.
  Part& add(int64_t count);
  // Of what has come down; afterwards it is forgotten, but for the result.
  const MeasuredError& measure();

 private:
  int64_t seen_ = 0, taken_ = 0;
  std::deque<Part> parts_;
  MeasuredError error_;
};

// To the nearest number with 10 bits behind the point, as TF32 has it.
float rounded_to_tf32(float number);

}  // namespace at::device
