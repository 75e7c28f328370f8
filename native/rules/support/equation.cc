#include "rules/support/equation.h"

#include <algorithm>
#include <set>

#include "core/error.h"

namespace at {
inline namespace AT_PRECISION {

namespace {

constexpr int kEllipsis = 1000;  // labels of the axes that an ellipsis stands for, from the right
constexpr int kSplit = 2000;     // labels of the parts of a split axis

std::vector<std::string> split(const std::string& text, char by) {
  std::vector<std::string> parts{""};
  for (char c : text) {
    if (c == by) {
      parts.emplace_back();
    } else {
      parts.back() += c;
    }
  }
  return parts;
}

// One label for every axis; `rank` tells how many an ellipsis stands for.
std::vector<int> labels_of(const std::string& term, size_t rank) {
  const size_t dots = term.find("...");
  const size_t letters = term.size() - (dots == std::string::npos ? 0 : 3);
  std::vector<int> labels;
  for (size_t i = 0; i < term.size(); ++i) {
    if (i == dots) {
      for (size_t e = rank - letters; e-- > 0;) labels.push_back(kEllipsis + static_cast<int>(e));
      i += 2;
      continue;
    }
    labels.push_back(term[i]);
  }
  return labels;
}

// Without an arrow: the ellipsis, then every letter that occurs once, in order.
std::string implied_output(const std::vector<std::string>& terms) {
  std::map<char, int> seen;
  bool ellipsis = false;
  for (const std::string& term : terms) {
    ellipsis = ellipsis || term.find('.') != std::string::npos;
    for (char c : term)
      if (c != '.') ++seen[c];
  }
  std::string result = ellipsis ? "..." : "";
  for (const auto& [c, times] : seen)
    if (times == 1) result += c;
  return result;
}

struct Split {
  int label = -1;
  int64_t outer = 1, samples = 1, inner = 1;
};

// Axes longer than 1, the one with the samples in parts.
Labelled labelled(const std::vector<int>& labels, const Shape& shape, const Split& batch,
                  std::map<int, int64_t>& size, std::vector<int>* axes) {
  const Shape strides = row_major_strides(shape);
  Labelled result;
  const auto add = [&](int label, int64_t length, int64_t stride) {
    if (length == 1) return;
    if (axes) axes->push_back(label);
    if (!result.has(label)) result.labels.push_back(label);
    result.stride[label] += stride;
    size[label] = length;
  };
  for (size_t a = 0; a < labels.size(); ++a) {
    if (labels[a] == batch.label && shape[a] != 1) {
      add(kSplit, batch.outer, strides[a] * batch.samples * batch.inner);
      add(kSplit + 1, batch.samples, strides[a] * batch.inner);
      add(kSplit + 2, batch.inner, strides[a]);
    } else {
      add(labels[a], shape[a], strides[a]);
    }
  }
  return result;
}

}  // namespace

Equation::Equation(const NodeView& call, int64_t samples) {
  std::string text = call.node().attributes.text("equation", "");
  text.erase(std::remove(text.begin(), text.end(), ' '), text.end());
  const size_t arrow = text.find("->");
  const std::vector<std::string> terms = split(text.substr(0, arrow), ',');
  const std::string result =
      arrow == std::string::npos ? implied_output(terms) : text.substr(arrow + 2);
  const Activation& out = call.output(0);
  const std::vector<int> out_labels = labels_of(result, out.shape.size());
  Split batch;
  if (samples > 1 && out.batched()) {
    int64_t below = 1;
    for (size_t a = out.shape.size(); a-- > 0; below *= out.shape[a]) {
      if (out.batch_stride >= below * out.shape[a]) continue;
      batch.label = out_labels[a];
      batch.samples = samples;
      batch.inner = out.batch_stride / below;
      batch.outer = out.shape[a] / (batch.inner * batch.samples);
      break;
    }
    sample = kSplit + 1;
  }
  axes.resize(terms.size());
  for (size_t k = 0; k < terms.size(); ++k) {
    const Shape& shape = call.input(static_cast<int>(k)).shape;
    operands.push_back(labelled(labels_of(terms[k], shape.size()), shape, batch, size, &axes[k]));
  }
  output = labelled(out_labels, out.shape, batch, size, nullptr);
}

}  // namespace AT_PRECISION
}  // namespace at
