#define DOCTEST_CONFIG_IMPLEMENT
#include <doctest/doctest.h>

#include "core/blas.h"

int main(int argc, char** argv) {
  at::blas::initialise();
  doctest::Context context(argc, argv);
  return context.run();
}
