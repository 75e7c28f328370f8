#include "binding/convert.h"
#include "binding/fit.h"
#include "binding/promise.h"
#include "binding/shared_memory.h"
#include "core/parallel.h"
#include "core/shape.h"
#include "fit/kernel_builder.h"

namespace at {

namespace {

// Numbers in place, of either width: a typed array, or {block, double} for a shared block of the
// addon's own.
struct Numbers {
  const float* narrow = nullptr;
  const double* wide = nullptr;
  std::shared_ptr<Memory> block;
};

bool is_array(const Napi::Value& value, napi_typedarray_type type) {
  return value.IsTypedArray() && value.As<Napi::TypedArray>().TypedArrayType() == type;
}

std::shared_ptr<Memory> numbers_in(const Napi::Value& value, int64_t bytes) {
  auto block = find_shared(to_int64(value.As<Napi::Object>().Get("block"), "block"));
  if (static_cast<int64_t>(block->bytes()) < bytes)
    throw Error("FAILED", "A block of features is too small");
  return block;
}

void expect_count(int64_t count, int64_t length, const char* what) {
  if (length != count)
    throw Error("BAD_ARGUMENT", "Expected " + std::to_string(count) + " numbers for " + what +
                                    " but received " + std::to_string(length));
}

Numbers numbers_of(const Napi::Value& value, int64_t count, const char* what,
                   std::vector<Napi::ObjectReference>& pins) {
  if (is_array(value, napi_float32_array)) {
    const auto array = value.As<Napi::Float32Array>();
    expect_count(count, static_cast<int64_t>(array.ElementLength()), what);
    pins.push_back(Napi::Persistent(value.As<Napi::Object>()));
    return {array.Data(), nullptr, nullptr};
  }
  if (is_array(value, napi_float64_array)) {
    const auto array = value.As<Napi::Float64Array>();
    expect_count(count, static_cast<int64_t>(array.ElementLength()), what);
    pins.push_back(Napi::Persistent(value.As<Napi::Object>()));
    return {nullptr, array.Data(), nullptr};
  }
  if (!value.IsObject() || value.IsTypedArray())
    throw Napi::TypeError::New(value.Env(),
                               std::string("Expected a Float32Array or Float64Array for ") + what);
  const bool wide = value.As<Napi::Object>().Get("double").ToBoolean();
  auto block = numbers_in(value, checked_mul(count, wide ? sizeof(double) : sizeof(float)));
  if (wide) return {nullptr, block->numbers<double>(), block};
  return {block->numbers<float>(), nullptr, block};
}

// In place, each from 0 to k − 1.
struct Columns {
  const int32_t* data = nullptr;
  std::shared_ptr<Memory> block;
};

Columns columns_of(const Napi::Value& value, int64_t count, int64_t k,
                   std::vector<Napi::ObjectReference>& pins) {
  Columns columns;
  if (value.IsTypedArray()) {
    const auto array = value.As<Napi::Int32Array>();
    if (static_cast<int64_t>(array.ElementLength()) != count)
      throw Error("BAD_ARGUMENT", "Expected " + std::to_string(count) +
                                      " columns for h but received " +
                                      std::to_string(array.ElementLength()));
    columns.data = array.Data();
    pins.push_back(Napi::Persistent(value.As<Napi::Object>()));
  } else {
    columns.block = numbers_in(value, checked_mul(count, sizeof(int32_t)));
    columns.data = columns.block->numbers<int32_t>();
  }
  for (int64_t i = 0; i < count; ++i)
    if (columns.data[i] < 0 || columns.data[i] >= k)
      throw Error("BAD_ARGUMENT", "Expected columns from 0 to " + std::to_string(k - 1) +
                                      " for h but received " + std::to_string(columns.data[i]));
  return columns;
}

int64_t positive(const Napi::Value& value, const char* what) {
  const int64_t n = to_int64(value, what);
  if (n < 1) throw Error("BAD_ARGUMENT", std::string("Expected a positive number for ") + what);
  return n;
}

// One set of rows and their blocks of features.
class SolveFeatures final : public Napi::ObjectWrap<SolveFeatures> {
 public:
  static Napi::Function define(Napi::Env env) {
    return DefineClass(env, "SolveFeatures",
                       {InstanceMethod<&SolveFeatures::add_dense>("addDense"),
                        InstanceMethod<&SolveFeatures::add_factors>("addFactors"),
                        InstanceMethod<&SolveFeatures::apply>("apply"),
                        InstanceMethod<&SolveFeatures::adjoint>("adjoint"),
                        InstanceMethod<&SolveFeatures::select>("select"),
                        InstanceMethod<&SolveFeatures::kernel>("kernel"),
                        InstanceMethod<&SolveFeatures::free>("free"),
                        InstanceAccessor<&SolveFeatures::bytes>("bytes")});
  }

  explicit SolveFeatures(const Napi::CallbackInfo& info) : Napi::ObjectWrap<SolveFeatures>(info) {
    guarded(info.Env(), [&] {
      samples_ = positive(info[0], "samples");
      outputs_ = positive(info[1], "outputs");
      checked_mul(samples_, outputs_);
    });
    info.This().As<Napi::Object>().TypeTag(&kTag);
  }

  static constexpr napi_type_tag kTag = {0x5f1cb54f0b5d4a07, 0x9d2f8a1be8a7c311};
  const fit::FeatureSet& set() const {
    if (!set_) throw Error("DISPOSED", "The features were freed");
    return *set_;
  }

 private:
  // addDense(x, m, k, transposed?, bias?) → the block's index
  Napi::Value add_dense(const Napi::CallbackInfo& info) {
    return guarded(info.Env(), [&]() -> Napi::Value {
      const int64_t m = positive(info[1], "m"), k = positive(info[2], "k"), n = samples_;
      const int64_t o = outputs_, rows = n * o;
      const bool transposed = info[3].ToBoolean();
      std::vector<Napi::ObjectReference> pins;
      const Numbers x = numbers_of(info[0], checked_mul(checked_mul(rows, m), k), "features", pins);
      Numbers bias;
      if (!info[4].IsUndefined()) bias = numbers_of(info[4], checked_mul(rows, m), "bias", pins);
      if (bias.wide || bias.narrow) same_width(x, bias);
      return add(info, std::move(pins), [=]() -> std::shared_ptr<const fit::Features> {
        if (x.narrow) return dense(n, o, m, k, x.block, x.narrow, transposed, bias.narrow);
        return dense(n, o, m, k, x.block, x.wide, transposed, bias.wide);
      });
    });
  }

  // A block of the addon's own is taken as it is where it has the right order.
  template <class T>
  static std::shared_ptr<const fit::Features> dense(int64_t n, int64_t o, int64_t m, int64_t k,
                                                    const std::shared_ptr<Memory>& block,
                                                    const T* x, bool transposed, const T* bias) {
    if (block && !transposed && !bias)
      return std::make_shared<fit::DenseFeatures<T>>(n, o, m, k, block);
    return std::make_shared<fit::DenseFeatures<T>>(n, o, m, k, x, transposed, bias);
  }

  // addFactors(delta, h, {positions, m, k, ones?, columns?, sharing?}) → the block's index; with
  // `columns` h tells those of its ones
  Napi::Value add_factors(const Napi::CallbackInfo& info) {
    return guarded(info.Env(), [&]() -> Napi::Value {
      const Napi::Object given = info[2].ToObject();
      fit::FactorSizes sizes;
      sizes.samples = samples_;
      sizes.outputs = outputs_;
      sizes.positions = positive(given.Get("positions"), "positions");
      sizes.m = positive(given.Get("m"), "m");
      sizes.k = positive(given.Get("k"), "k");
      sizes.ones = given.Get("ones").ToBoolean();
      sizes.sharing = property_or(given, "sharing", 1);
      const int64_t places = checked_mul(samples_, sizes.positions);
      const int64_t own =
          checked_mul((samples_ + sizes.sharing - 1) / sizes.sharing, sizes.positions);
      std::vector<Napi::ObjectReference> pins;
      const Numbers d =
          numbers_of(info[0], checked_mul(checked_mul(places, outputs_), sizes.m), "delta", pins);
      if (given.Get("columns").ToBoolean()) {
        const Columns columns = columns_of(info[1], own, sizes.k, pins);
        if (sizes.ones) throw Error("BAD_ARGUMENT", "Expected no bias with columns");
        return add(info, std::move(pins), [=]() -> std::shared_ptr<const fit::Features> {
          if (d.narrow) return fit::from_picks(sizes, d.narrow, columns.data);
          return fit::from_picks(sizes, d.wide, columns.data);
        });
      }
      const Numbers h = numbers_of(info[1], checked_mul(own, sizes.k), "h", pins);
      same_width(d, h);
      return add(info, std::move(pins), [=]() -> std::shared_ptr<const fit::Features> {
        if (d.narrow) return fit::from_factors(sizes, d.narrow, h.narrow);
        return fit::from_factors(sizes, d.wide, h.wide);
      });
    });
  }

  static void same_width(const Numbers& a, const Numbers& b) {
    if ((a.narrow == nullptr) != (b.narrow == nullptr))
      throw Error("BAD_ARGUMENT", "Expected all of a block's numbers in the same precision");
  }

  template <class Make>
  Napi::Value add(const Napi::CallbackInfo& info, std::vector<Napi::ObjectReference> pins,
                  Make make) {
    pins.push_back(Napi::Persistent(info.This().As<Napi::Object>()));
    auto made = std::make_shared<std::shared_ptr<const fit::Features>>();
    auto set = set_;
    const size_t index = reserved_++;
    return run_async(
        info.Env(), [made, make] { *made = make(); },
        [made, set, index](Napi::Env env) -> Napi::Value {
          if (set->size() <= index) set->resize(index + 1);
          (*set)[index] = *made;
          return Napi::Number::New(env, static_cast<double>(index));
        },
        std::move(pins));
  }

  // apply(b, threads) → Σ_blocks ⟨X_r, B⟩ for every row
  Napi::Value apply(const Napi::CallbackInfo& info) {
    return guarded(info.Env(), [&]() -> Napi::Value {
      auto b = std::make_shared<std::vector<double>>(to_doubles(info[0], "b"));
      int64_t size = 0;
      for (const auto& f : set()) size += f->size();
      if (static_cast<int64_t>(b->size()) != size)
        throw Error("BAD_ARGUMENT", "Expected " + std::to_string(size) +
                                        " coefficients but received " + std::to_string(b->size()));
      const int threads = static_cast<int>(to_int64(info[1], "threads"));
      auto y = std::make_shared<std::vector<double>>(samples_ * outputs_, 0.0);
      auto features = set();
      return run_async(
          info.Env(),
          [=] {
            with_threads(threads, [&] {
              int64_t offset = 0;
              for (const auto& f : features) {
                f->apply(b->data() + offset, y->data());
                offset += f->size();
              }
            });
          },
          [y](Napi::Env env) -> Napi::Value { return from_doubles(env, *y); });
    });
  }

  // adjoint(a, threads) → Σ_r a_r X_r, block after block
  Napi::Value adjoint(const Napi::CallbackInfo& info) {
    return guarded(info.Env(), [&]() -> Napi::Value {
      auto a = std::make_shared<std::vector<double>>(to_doubles(info[0], "a"));
      if (static_cast<int64_t>(a->size()) != samples_ * outputs_)
        throw Error("BAD_ARGUMENT", "Expected one weight per row");
      const int threads = static_cast<int>(to_int64(info[1], "threads"));
      int64_t size = 0;
      for (const auto& f : set()) size += f->size();
      auto s = std::make_shared<std::vector<double>>(size);
      auto features = set();
      return run_async(
          info.Env(),
          [=] {
            with_threads(threads, [&] {
              int64_t offset = 0;
              for (const auto& f : features) {
                f->adjoint(a->data(), s->data() + offset);
                offset += f->size();
              }
            });
          },
          [s](Napi::Env env) -> Napi::Value { return from_doubles(env, *s); });
    });
  }

  // select(target, samples): fills `target`, new and empty, with the blocks of some samples
  Napi::Value select(const Napi::CallbackInfo& info) {
    return guarded(info.Env(), [&]() -> Napi::Value {
      if (!info[0].IsObject() || !info[0].As<Napi::Object>().CheckTypeTag(&kTag))
        throw Napi::TypeError::New(info.Env(), "Expected SolveFeatures");
      SolveFeatures* target = Unwrap(info[0].As<Napi::Object>());
      auto samples = std::make_shared<std::vector<int64_t>>(to_int64s(info[1], "samples"));
      for (int64_t i : *samples)
        if (i < 0 || i >= samples_) throw Error("BAD_ARGUMENT", "Expected samples that are there");
      if (target->samples_ != static_cast<int64_t>(samples->size()) ||
          target->outputs_ != outputs_ || target->reserved_ > 0)
        throw Error("BAD_ARGUMENT", "Expected empty features of as many samples to select into");
      target->reserved_ = reserved_;
      auto from = set();
      auto to = target->set_;
      auto made = std::make_shared<fit::FeatureSet>();
      return run_async(
          info.Env(),
          [=] {
            for (const auto& f : from) made->push_back(f->select(*samples));
          },
          [=](Napi::Env env) -> Napi::Value {
            *to = *made;
            return env.Undefined();
          },
          {});
    });
  }

  // kernel(other, transforms, threads, control?) → (rows, other's rows)
  Napi::Value kernel(const Napi::CallbackInfo& info) {
    return guarded(info.Env(), [&]() -> Napi::Value {
      const fit::FeatureSet a = set(), b = features_of(info[0]);
      const Napi::Array list = info[1].As<Napi::Array>();
      if (a.empty() || a.size() != b.size() || list.Length() != a.size())
        throw Error("BAD_ARGUMENT", "Expected the same blocks on both sides of the kernel");
      auto transforms = std::make_shared<std::vector<fit::Transform>>();
      for (uint32_t i = 0; i < list.Length(); ++i) {
        transforms->push_back(to_transform(list.Get(i).ToObject()));
        if (a[i]->m() != b[i]->m() || a[i]->k() != b[i]->k() ||
            transforms->back().size() != a[i]->size())
          throw Error("BAD_ARGUMENT", "Expected blocks of the same shape on both sides");
      }
      std::vector<Napi::ObjectReference> pins;
      const int threads = static_cast<int>(to_int64(info[2], "threads"));
      const Control control = to_control(info[3], pins);
      auto out = std::make_shared<std::vector<double>>(checked_mul(a[0]->rows(), b[0]->rows()));
      return run_async(
          info.Env(),
          [=] {
            with_threads(threads,
                         [&] { fit::cross_kernel(a, b, *transforms, out->data(), control); });
          },
          [out](Napi::Env env) -> Napi::Value { return from_doubles(env, *out); }, std::move(pins));
    });
  }

  // free(): fits and calls that are under way keep what they need.
  void free(const Napi::CallbackInfo&) { set_.reset(); }

  Napi::Value bytes(const Napi::CallbackInfo& info) {
    double total = 0;
    if (set_)
      for (const auto& f : *set_)
        if (f) total += static_cast<double>(f->bytes());
    return Napi::Number::New(info.Env(), total);
  }

  int64_t samples_ = 0, outputs_ = 0;
  size_t reserved_ = 0;
  std::shared_ptr<fit::FeatureSet> set_ = std::make_shared<fit::FeatureSet>();
};

}  // namespace

fit::FeatureSet features_of(const Napi::Value& value) {
  if (!value.IsObject() || !value.As<Napi::Object>().CheckTypeTag(&SolveFeatures::kTag))
    throw Napi::TypeError::New(value.Env(), "Expected SolveFeatures");
  const auto& set = Napi::ObjectWrap<SolveFeatures>::Unwrap(value.As<Napi::Object>())->set();
  for (const auto& f : set)
    if (!f) throw Error("BAD_ARGUMENT", "Features are used before they were added");
  return set;
}

void export_solve_features(Napi::Env env, Napi::Object exports) {
  exports.Set("SolveFeatures", SolveFeatures::define(env));
}

}  // namespace at
