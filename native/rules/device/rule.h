#pragma once

#include <memory>
#include <vector>

#include "device/launch.h"
#include "rules/rule.h"

namespace at {
inline namespace AT_PRECISION {

using DeviceNumbers = device::Buffer<Real>;

// One node on a device, in either direction.
class DeviceNode {
 public:
  virtual ~DeviceNode() = default;
  // Shapes and attributes; the numbers of constants, on the host.
  virtual const NodeView& view() const = 0;
  virtual device::Stream& stream() = 0;
  // The numbers that the rule's needs(), or forward_needs(), names, whatever their type.
  virtual DeviceNumbers input(int k) = 0;
  virtual DeviceNumbers output(int j) = 0;
  // What the host planned: places and weights.
  template <class T>
  device::Buffer<T> sent(const std::vector<T>& planned) {
    return stream().send(planned);
  }
};

// In one reverse pass: Call's notation, with all numbers in the device's memory.
class DeviceCall : public DeviceNode {
 public:
  // Also what is wanted. Its in(), out() and what else makes or reads cotangents is not for device
  // rules.
  const Call& view() const override = 0;
  // Cotangent of output j; none when nothing flows back from it.
  virtual const DeviceNumbers& out(int j) const = 0;
  // The cotangent of input k, to be overwritten in full.
  virtual device::Pointer<Real> in(int k) = 0;
  // The same where it exists already; it may be out(j) or another's.
  virtual void put(int k, DeviceNumbers cotangent) = 0;
  // For per_sample(k): its features in factors, δ (n, G, T, C, m) and h (n, G, T, k).
  virtual void matrix(int k, const MatrixDims& dims, DeviceNumbers delta, DeviceNumbers h,
                      int with_bias = -1) = 0;
};

// In one forward pass: TangentCall's notation, with all numbers in the device's memory.
class DeviceTangentCall : public DeviceNode {
 public:
  // Also what is wanted; its tangents are not for device rules.
  const TangentCall& view() const override = 0;
  // Is the tangent of input k not zero?
  virtual bool has_in(int k) const = 0;
  virtual DeviceNumbers in(int k) = 0;
  // The tangent of output j, to be overwritten in full.
  virtual device::Pointer<Real> out(int j) = 0;
  // The same where it exists already, it may be in(k); what there is of it is added.
  virtual void put(int j, DeviceNumbers tangent) = 0;
  // The same where every input adds its own: to be overwritten by the first, added to by others.
  struct Sum {
    device::Pointer<Real> to;
    bool adds;
  };
  virtual Sum sum(int j) = 0;
};

// A node's rule as a plan of the host's and functions that a device runs.
class DeviceRule {
 public:
  virtual ~DeviceRule() = default;
  // Does reverse() serve this node, with these shapes? The host's rule serves the others.
  virtual bool fits(const Call& view) const { return true; }
  // Writes the cotangent of every wanted input, as Rule::reverse.
  virtual void reverse(DeviceCall& call) const = 0;
  // Writes the tangent of every wanted output, as Rule::forward. False: it does not serve this
  // node, and did nothing.
  virtual bool forward(DeviceTangentCall& call) const = 0;
};

}  // namespace AT_PRECISION
}  // namespace at
