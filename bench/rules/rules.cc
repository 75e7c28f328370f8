// How fast the reverse rules are: element-wise ones against a memory copy of the cotangents in and
// out, contracting ones against this machine's matrix product. Prints a table, the worst first.
// cmake -S . -B build/bench -DAT_BENCH=ON && cmake --build build/bench --target rules_bench, then
// run build/bench/rules_bench with OPENBLAS_CORETYPE unset.
#include <algorithm>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <functional>
#include <random>

#include "core/blas.h"
#include "core/parallel.h"
#include "reverse/call.h"

namespace at {
namespace {

struct Operand {
  Shape shape;
  bool batched = true;
  std::vector<int64_t> integers = {};  // numbers of an integer operand
  bool wanted = true;
};

struct Bench {
  std::string name;
  std::string op;
  std::vector<std::pair<std::string, Attribute>> attributes;
  std::vector<Operand> inputs;
  std::vector<Shape> outputs;
  double flops = 0;  // for every cotangent; 0: measured by the bytes of cotangents in and out
};

constexpr int64_t kSamples = 16, kCotangents = 10;

// Of the processor, on one thread: what else the machine does counts little.
double best_seconds(const std::function<void()>& work) {
  return with_threads(1, [&] {
    double best = 1e300;
    work();
    for (int repeat = 0; repeat < 9; ++repeat) {
      timespec start, end;
      clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &start);
      work();
      clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &end);
      best = std::min(best, static_cast<double>(end.tv_sec - start.tv_sec) +
                                1e-9 * static_cast<double>(end.tv_nsec - start.tv_nsec));
    }
    return best;
  });
}

class Subject {
 public:
  explicit Subject(const Bench& bench) : bench_(bench) {
    node_.op = node_.name = bench.op;
    node_.opset = 18;
    for (const auto& [name, value] : bench.attributes) node_.attributes.set(name, value);
    node_.rule = find_rule("", bench.op);
    for (const Operand& operand : bench.inputs) {
      node_.inputs.push_back(static_cast<int>(frame_.values.size()));
      add(operand.shape, operand.batched, operand.wanted, operand.integers);
    }
    for (const Shape& shape : bench.outputs) {
      node_.outputs.push_back(static_cast<int>(frame_.values.size()));
      add(shape, true, true, {});
    }
    frame_.samples = kSamples;
    for (const Shape& shape : bench.outputs) {
      const int64_t size = kCotangents * element_count(shape);
      seeds_.push_back(pool_.floats(size));
      std::fill(seeds_.back().get(), seeds_.back().get() + size, 0.5f);
      bytes_ += static_cast<double>(size) * sizeof(float);
    }
    for (const Operand& operand : bench.inputs) {
      const int64_t own = operand.batched ? 1 : kSamples;
      if (operand.wanted)
        bytes_ += static_cast<double>(kCotangents * own * element_count(operand.shape)) * 4;
    }
  }

  double run() {
    const Control control;
    return best_seconds([&] {
      std::vector<std::shared_ptr<float>> out(seeds_);
      NodeCall call(tape_, frame_, node_, kCotangents, out, pool_, control);
      node_.rule->reverse(call);
    });
  }
  double bytes() const { return bytes_; }

 private:
  void add(const Shape& shape, bool batched, bool wanted, const std::vector<int64_t>& integers) {
    Activation value;
    value.shape = shape;
    value.batch_stride = batched ? element_count(shape) / shape[0] : 0;
    if (!integers.empty()) {
      value.type = DataType::kInt64;
      integers_.push_back(integers);
      value.data = integers_.back().data();
    } else {
      values_.push_back(pool_.floats(element_count(shape)));
      std::uniform_real_distribution<float> uniform(0.1f, 1.0f);
      for (int64_t e = 0; e < element_count(shape); ++e) values_.back().get()[e] = uniform(random_);
      value.data = values_.back().get();
    }
    ValueInfo info;
    info.active = wanted && integers.empty();
    tape_.values.push_back(info);
    frame_.values.push_back(value);
  }

  const Bench& bench_;
  Pool pool_;
  Tape tape_;
  Frame frame_;
  Node node_;
  std::mt19937 random_{7};
  std::vector<std::shared_ptr<float>> values_, seeds_;
  std::vector<std::vector<int64_t>> integers_;
  double bytes_ = 0;
};

std::vector<Bench> benches() {
  const int64_t n = kSamples;
  const Shape image = {n, 32, 32, 32}, tokens = {n, 64, 256}, scores = {n, 8, 64, 64};
  const Operand x{image}, t{tokens}, s{scores};
  using Ints = std::vector<int64_t>;
  std::vector<Bench> list;
  for (const char* op : {"Relu", "Sigmoid", "Tanh", "Gelu", "Erf", "Exp", "Softplus", "HardSwish",
                         "Mish", "Elu", "LeakyRelu", "Sqrt", "Abs", "Log", "Sin"})
    list.push_back({op, op, {}, {x}, {image}});
  const Operand scale{{32, 1, 1}, false}, constant{{1}, false, {}, false};
  for (const char* op : {"Add", "Sub", "Mul", "Div", "Max"}) {
    list.push_back({std::string(op) + ", two activations", op, {}, {x, x}, {image}});
    list.push_back({std::string(op) + ", a constant", op, {}, {x, constant}, {image}});
  }
  list.push_back({"Mul, a parameter per channel", "Mul", {}, {x, scale}, {image}});
  list.push_back({"Add, a parameter per channel", "Add", {}, {x, scale}, {image}});
  list.push_back({"Add, a parameter per number", "Add", {}, {t, {{256}, false}}, {tokens}});
  list.push_back({"Pow, squares", "Pow", {}, {x, constant}, {image}});
  list.push_back({"Clip", "Clip", {}, {x}, {image}});
  list.push_back({"Softmax", "Softmax", {}, {s}, {scores}});
  list.push_back({"Softmax, first axis", "Softmax", {{"axis", int64_t{1}}}, {s}, {scores}});
  list.push_back({"LogSoftmax", "LogSoftmax", {}, {s}, {scores}});
  const Operand line{{256}, false};
  list.push_back({"LayerNormalization", "LayerNormalization", {}, {t, line, line}, {tokens}});
  const Operand channel{{32}, false};
  list.push_back(
      {"InstanceNormalization", "InstanceNormalization", {}, {x, channel, channel}, {image}});
  Operand given = channel;
  given.wanted = false;
  list.push_back({"BatchNormalization",
                  "BatchNormalization",
                  {},
                  {x, channel, channel, given, given},
                  {image}});
  list.push_back({"Transpose, heads",
                  "Transpose",
                  {{"perm", Ints{0, 2, 1, 3}}},
                  {{{n, 64, 8, 32}}},
                  {{n, 8, 64, 32}}});
  list.push_back({"Transpose, last two",
                  "Transpose",
                  {{"perm", Ints{0, 1, 3, 2}}},
                  {{{n, 8, 64, 32}}},
                  {{n, 8, 32, 64}}});
  list.push_back({"Concat", "Concat", {{"axis", int64_t{1}}}, {x, x}, {{n, 64, 32, 32}}});
  list.push_back({"Slice",
                  "Slice",
                  {},
                  {x, {{1}, false, {16}}, {{1}, false, {32}}, {{1}, false, {1}}},
                  {{n, 16, 32, 32}}});
  list.push_back(
      {"Split", "Split", {{"axis", int64_t{1}}}, {x}, {{n, 16, 32, 32}, {n, 16, 32, 32}}});
  list.push_back(
      {"Pad, zeros", "Pad", {}, {x, {{8}, false, {0, 0, 1, 1, 0, 0, 1, 1}}}, {{n, 32, 34, 34}}});
  list.push_back({"Pad, reflected",
                  "Pad",
                  {{"mode", std::string("reflect")}},
                  {x, {{8}, false, {0, 0, 1, 1, 0, 0, 1, 1}}},
                  {{n, 32, 34, 34}}});
  list.push_back({"ReduceMean, tokens", "ReduceMean", {{"axes", Ints{1}}}, {t}, {{n, 1, 256}}});
  list.push_back({"ReduceMean, last axis", "ReduceMean", {{"axes", Ints{2}}}, {t}, {{n, 64, 1}}});
  list.push_back({"ReduceMax, last axis", "ReduceMax", {{"axes", Ints{2}}}, {t}, {{n, 64, 1}}});
  const std::pair<std::string, Attribute> two{"kernel_shape", Ints{2, 2}},
      by{"strides", Ints{2, 2}};
  const Shape half = {n, 32, 16, 16};
  list.push_back({"MaxPool 2×2", "MaxPool", {two, by}, {x}, {half}});
  list.push_back({"AveragePool 2×2", "AveragePool", {two, by}, {x}, {half}});
  list.push_back({"MaxPool 3×3, overlapping",
                  "MaxPool",
                  {{"kernel_shape", Ints{3, 3}}, by, {"pads", Ints{1, 1, 1, 1}}},
                  {x},
                  {half}});
  list.push_back({"GlobalAveragePool", "GlobalAveragePool", {}, {x}, {{n, 32, 1, 1}}});
  list.push_back({"CumSum", "CumSum", {}, {t, {{1}, false, {1}}}, {tokens}});
  list.push_back({"Where", "Where", {}, {{image, true, {}, false}, x, x}, {image}});
  list.push_back({"PRelu", "PRelu", {}, {x, scale}, {image}});

  const auto dense = [&](const std::string& name, const std::string& op, const Operand& a,
                         const Operand& b, const Shape& y, double flops,
                         std::vector<std::pair<std::string, Attribute>> attributes = {}) {
    list.push_back({name, op, std::move(attributes), {a, b}, {y}, flops});
  };
  const auto frozen = [](const Shape& shape) { return Operand{shape, false, {}, false}; };
  const double tokens_flops = 2.0 * n * 64 * 256 * 256;
  dense("MatMul, input's cotangent", "MatMul", t, frozen({256, 256}), tokens, tokens_flops);
  dense("MatMul, two activations", "MatMul", {{n, 8, 64, 32}}, {{n, 8, 32, 64}}, scores,
        2 * 2.0 * n * 8 * 64 * 64 * 32);
  dense("Gemm, input's cotangent", "Gemm", {{256, 1024}}, frozen({1024, 1024}), {256, 1024},
        2.0 * 256 * 1024 * 1024, {{"transB", int64_t{1}}});
  const std::pair<std::string, Attribute> pads{"pads", Ints{1, 1, 1, 1}};
  dense("Conv 3×3, 32 channels", "Conv", x, frozen({32, 32, 3, 3}), image,
        2.0 * n * 32 * 32 * 9 * 1024, {pads});
  dense("Conv 3×3, 128 channels on 8×8", "Conv", {{n, 128, 8, 8}}, frozen({128, 128, 3, 3}),
        {n, 128, 8, 8}, 2.0 * n * 128 * 128 * 9 * 64, {pads});
  dense("Conv 1×1, 64 channels", "Conv", {{n, 64, 16, 16}}, frozen({64, 64, 1, 1}), {n, 64, 16, 16},
        2.0 * n * 64 * 64 * 256);
  list.push_back({"Conv 3×3, depthwise (by bytes)",
                  "Conv",
                  {pads, {"group", int64_t{32}}},
                  {x, frozen({32, 1, 3, 3})},
                  {image}});
  dense("ConvTranspose 3×3, 32 channels", "ConvTranspose", x, frozen({32, 32, 3, 3}), image,
        2.0 * n * 32 * 32 * 9 * 1024, {pads});
  dense("Einsum, attention scores", "Einsum", {{n, 64, 8, 32}}, {{n, 64, 8, 32}}, scores,
        2 * 2.0 * n * 8 * 64 * 64 * 32, {{"equation", std::string("bqhd,bkhd->bhqk")}});
  return list;
}

int run() {
  blas::initialise();
  constexpr int64_t kGemm = 1024, kCopy = int64_t{1} << 25;
  Pool pool;
  auto a = pool.floats(kCopy), b = pool.floats(kCopy);
  std::fill(a.get(), a.get() + kCopy, 0.5f);
  std::fill(b.get(), b.get() + kCopy, 0.5f);
  const double gemm = 2.0 * kGemm * kGemm * kGemm / best_seconds([&] {
                        blas::parallel_gemm(false, false, kGemm, kGemm, kGemm, 1.0f, a.get(), kGemm,
                                            a.get() + kGemm * kGemm, kGemm, 0.0f, b.get(), kGemm);
                      });
  // Bytes read and written.
  const double copy =
      8.0 * kCopy / best_seconds([&] {
        parallel_for(kCopy, 1 << 18, [&](int64_t first, int64_t last) {
          std::memcpy(b.get() + first, a.get() + first, sizeof(float) * (last - first));
        });
      });
  std::printf(
      "%s; matrix product %.0f GFLOP/s, copy %.1f GB/s (read and written); %ld samples, "
      "%ld cotangents; one thread, processor time.\n\n",
      blas::describe().c_str(), gemm / 1e9, copy / 1e9, static_cast<long>(kSamples),
      static_cast<long>(kCotangents));
  struct Line {
    double share;
    std::string text;
  };
  std::vector<Line> lines;
  for (const Bench& bench : benches()) {
    Subject subject(bench);
    const double seconds = subject.run();
    const double rate =
        bench.flops > 0 ? bench.flops * kCotangents / seconds : subject.bytes() / seconds;
    const double share = rate / (bench.flops > 0 ? gemm : copy);
    if (share > 20) continue;  // handed on as it is
    char text[200];
    std::snprintf(text, sizeof text, "| %s | %.0f %% of %s | %.2f ms |", bench.name.c_str(),
                  100 * share, bench.flops > 0 ? "the matrix product" : "a copy", 1e3 * seconds);
    lines.push_back({share, text});
  }
  std::sort(lines.begin(), lines.end(),
            [](const Line& p, const Line& q) { return p.share < q.share; });
  std::printf("| rule in reverse | rate | time |\n| --- | --- | --- |\n");
  for (const Line& line : lines) std::printf("%s\n", line.text.c_str());
  return 0;
}

}  // namespace
}  // namespace at

int main() { return at::run(); }
