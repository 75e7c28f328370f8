#include "device/cuda/libraries.h"

#include <dlfcn.h>

namespace at::device::cuda {

namespace {

class Library {
 public:
  Library(const char* name, std::string& error) : name_(name), error_(error) {
    handle_ = dlopen(name, RTLD_NOW | RTLD_LOCAL);
    if (!handle_ && error_.empty())
      error_ = std::string(name) + " was not found (it comes with NVIDIA's CUDA toolkit, or with " +
               "the packages nvidia-cublas and nvidia-cusolver; LD_LIBRARY_PATH tells where it is)";
  }
  template <class F>
  void find(const char* function, F& to) {
    to = handle_ ? reinterpret_cast<F>(dlsym(handle_, function)) : nullptr;
    if (handle_ && !to && error_.empty())
      error_ = std::string(name_) + " is too old: it has no " + function;
  }

 private:
  const char* name_;
  std::string& error_;
  void* handle_;
};

Libraries open() {
  Libraries all{};
  Library blas("libcublas.so.13", all.error);
  blas.find("cublasCreate_v2", all.blas_create);
  blas.find("cublasDestroy_v2", all.blas_destroy);
  blas.find("cublasSetStream_v2", all.blas_set_stream);
  blas.find("cublasSetMathMode", all.blas_set_math);
  blas.find("cublasSgemmStridedBatched_64", all.gemm_float);
  blas.find("cublasDgemmStridedBatched_64", all.gemm_double);
  blas.find("cublasSsyrk_v2_64", all.syrk_float);
  blas.find("cublasDsyrk_v2_64", all.syrk_double);
  blas.find("cublasStrsm_v2_64", all.trsm_float);
  blas.find("cublasDtrsm_v2_64", all.trsm_double);
  blas.find("cublasSsymm_v2_64", all.symm_float);
  blas.find("cublasDsymm_v2_64", all.symm_double);
  Library solver("libcusolver.so.12", all.error);
  solver.find("cusolverDnCreate", all.solver_create);
  solver.find("cusolverDnDestroy", all.solver_destroy);
  solver.find("cusolverDnSetStream", all.solver_set_stream);
  solver.find("cusolverDnCreateParams", all.params_create);
  solver.find("cusolverDnDestroyParams", all.params_destroy);
  solver.find("cusolverDnXpotrf_bufferSize", all.potrf_size);
  solver.find("cusolverDnXpotrf", all.potrf);
  solver.find("cusolverDnXsyevd_bufferSize", all.syevd_size);
  solver.find("cusolverDnXsyevd", all.syevd);
  solver.find("cusolverDnXgesvd_bufferSize", all.gesvd_size);
  solver.find("cusolverDnXgesvd", all.gesvd);
  return all;
}

}  // namespace

const Libraries& libraries() {
  static const Libraries all = open();
  return all;
}

}  // namespace at::device::cuda
