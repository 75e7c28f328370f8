# Code for NVIDIA's cards (AT_CUDA=ON). The runtime is linked statically and cuBLAS and cuSOLVER are
# opened when they are first needed, so that the addon loads where there is neither driver nor toolkit.
if(NOT CMAKE_CUDA_ARCHITECTURES)
  # The last one's intermediate code serves later cards.
  set(CMAKE_CUDA_ARCHITECTURES 80-real 90-real 100-real 120)
endif()
set(CMAKE_CUDA_STANDARD 17)
set(CMAKE_CUDA_STANDARD_REQUIRED ON)
set(CMAKE_CUDA_RUNTIME_LIBRARY Static)
if(CCACHE_PROGRAM)
  set(CMAKE_CUDA_COMPILER_LAUNCHER ${CCACHE_PROGRAM})
endif()
set(CMAKE_CUDA_FLAGS "${CMAKE_CUDA_FLAGS} -O3 --compress-mode=size -Xcompiler=-fvisibility=hidden")
enable_language(CUDA)
find_package(CUDAToolkit REQUIRED)
