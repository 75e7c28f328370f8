#include "binding/linear.h"

#include "binding/convert.h"
#include "core/blas.h"
#include "core/parallel.h"

namespace at {

namespace {

// gemm(transA, transB, m, n, k, a, b, beta, c, threads): c (m, n) = op(a)·op(b) + beta·c, at once.
// a, b and c are Float32Arrays of just these sizes.
void gemm(const Napi::CallbackInfo& info) {
  guarded(info.Env(), [&] {
    const bool trans_a = info[0].ToBoolean(), trans_b = info[1].ToBoolean();
    const int64_t m = to_int64(info[2], "m"), n = to_int64(info[3], "n");
    const int64_t k = to_int64(info[4], "k");
    const float beta = info[7].ToNumber().FloatValue();
    if (m < 1 || n < 1 || k < 1) throw Error("BAD_ARGUMENT", "Expected sizes of at least 1");
    const float* a = float_data(info[5], checked_mul(m, k), "a");
    const float* b = float_data(info[6], checked_mul(k, n), "b");
    float* c = float_data(info[8], checked_mul(m, n), "c");
    with_threads(static_cast<int>(to_int64(info[9], "threads")), [&] {
      blas::parallel_gemm(trans_a, trans_b, m, n, k, 1.0f, a, trans_a ? m : k, b, trans_b ? k : n,
                          beta, c, n);
    });
  });
}

}  // namespace

void export_linear(Napi::Env env, Napi::Object exports) {
  exports.Set("gemm", Napi::Function::New(env, gemm));
}

}  // namespace at
