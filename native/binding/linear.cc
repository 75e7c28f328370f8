#include "binding/linear.h"

namespace at {

void export_linear(Napi::Env env, Napi::Object exports) {
  export_linear_factor(env, exports);
  export_linear_iterative(env, exports);
  export_linear_krylov(env, exports);
  export_linear_measures(env, exports);
  export_linear_softmax(env, exports);
}

}  // namespace at
