#pragma once

#include "device/functions/fill.h"
#include "device/functions/gram_product.h"

// What is compiled for cards: X(function) for each that for_rows() is asked to run.
#define AT_FOR_ROWS(X, T) \
  X(Fill<T>)              \
  X(GramProduct<T>)
