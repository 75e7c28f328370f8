# The libraries inside a platform's package (scripts/release): OpenBLAS as built for PyPI beside the
# addon, oneTBB compiled into it, so that nothing of the system but the C library is used.
#   AT_OPENBLAS    folder with lib/libscipy_openblas.so
#   AT_TBB_SOURCE  folder with oneTBB's sources

set(TBB_TEST OFF CACHE INTERNAL "")
set(TBB_STRICT OFF CACHE INTERNAL "")
set(TBBMALLOC_BUILD OFF CACHE INTERNAL "")
set(TBB_ENABLE_IPO OFF CACHE INTERNAL "")
set(TBB_DISABLE_HWLOC_AUTOMATIC_SEARCH ON CACHE INTERNAL "")
set(BUILD_SHARED_LIBS OFF CACHE INTERNAL "")
set(CMAKE_WARN_DEPRECATED OFF CACHE INTERNAL "")
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
add_subdirectory(${AT_TBB_SOURCE} ${CMAKE_BINARY_DIR}/tbb EXCLUDE_FROM_ALL)

add_library(at_openblas SHARED IMPORTED)
set_target_properties(at_openblas PROPERTIES
  IMPORTED_LOCATION ${AT_OPENBLAS}/lib/libscipy_openblas.so
  IMPORTED_SONAME libscipy_openblas.so
  INTERFACE_COMPILE_DEFINITIONS AT_SCIPY_OPENBLAS)
set(BLAS_LIBRARIES at_openblas)
set(LAPACK_LIBRARIES "")

# Found beside the addon; nothing but Node's entry points is visible, so that neither side takes the
# other's C++ runtime for its own; the same bytes wherever it is built.
set(CMAKE_BUILD_WITH_INSTALL_RPATH ON)
set(CMAKE_INSTALL_RPATH "$ORIGIN")
set(AT_LINK_OPTIONS -Wl,--version-script=${CMAKE_CURRENT_LIST_DIR}/exports.map -Wl,--gc-sections
  -Wl,--build-id=none -s)
add_compile_options(-ffile-prefix-map=${CMAKE_SOURCE_DIR}=. -ffile-prefix-map=${AT_TBB_SOURCE}=tbb
  -ffunction-sections -fdata-sections -g0)
