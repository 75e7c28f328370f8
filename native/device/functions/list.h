#pragma once

#include "device/functions/arrange.h"
#include "device/functions/cells.h"
#include "device/functions/centre.h"
#include "device/functions/elementary.h"
#include "device/functions/fill.h"
#include "device/functions/flow.h"
#include "device/functions/gram_product.h"
#include "device/functions/lines.h"
#include "device/functions/optimizer.h"
#include "device/functions/philox.h"
#include "device/functions/pick.h"
#include "device/functions/project.h"
#include "device/functions/reduce.h"
#include "device/functions/scale.h"
#include "device/functions/sums.h"
#include "device/functions/windows.h"

// What is compiled for cards: X(function) for each that for_rows() is asked to run, then for those
// of sum_rows(), max_rows() and scan_rows().
#define AT_FOR_ROWS(X, T)               \
  X(Fill<T>)                            \
  X(GramProduct<T>)                     \
  X(SwapAxes<T>)                        \
  X(CopyRows<T>)                        \
  X(MirrorUp<T>)                        \
  X(LowerOnly<T>)                       \
  X(Widen<T>)                           \
  X(ScaleColumns<T>)                    \
  X(AddScaledRows<T>)                   \
  X(CentreRows<T>)                      \
  X(CentreColumns<T>)                   \
  X(SameColumn<T>)                      \
  X(SpreadPicked<T>)                    \
  X(PickRows<T>)                        \
  X(AddPicked<T>)                       \
  X(AppendOne<T>)                       \
  X(Times<T>)                           \
  X(Plus<T>)                            \
  X(SumAround<T>)                       \
  X(PackRows<T>)                        \
  X(Flow<T, Constant<T>>)               \
  X(Flow<T, Factor<T>>)                 \
  X(Flow<T, Partial<T>>)                \
  X(Peaks<T>)                           \
  X(SoftmaxSums<T>)                     \
  X(SoftmaxBack<T>)                     \
  X(NormalBack<T>)                      \
  X(RunAlong<T>)                        \
  X(CellStep<T>)                        \
  X(CellBack<T>)                        \
  X(CellAhead<T>)                       \
  X(SumTaps<T>)                         \
  X(ChooseLargest<T>)                   \
  X(SpreadWindows<T>)                   \
  X(GatherWindows<T>)                   \
  X(SpreadKernels<T>)                   \
  X(Scale<T, Elementary<T>, false>)     \
  X(AddWide<T>)                         \
  X(Signs<T>)                           \
  X(Project<T>)                         \
  X(ProjectProduct<T>)                  \
  X(MaskProduct<T>)                     \
  X(Rounded<T>)                         \
  X(Step<T, Sgd<T>>)                    \
  X(Step<T, Adam<T>>)                   \
  X(Patches<T>)                         \
  X(SumPatches<T>)                      \
  X(ByPosition<T>)                      \
  X(Scale<T, Relu<T>, true>)            \
  X(Scale<T, LeakyRelu<T>, false>)      \
  X(Scale<T, ThresholdedRelu<T>, true>) \
  X(Scale<T, Exponential<T>, false>)    \
  X(Scale<T, Sigmoid<T>, false>)        \
  X(Scale<T, Tanh<T>, false>)           \
  X(Scale<T, HardSigmoid<T>, true>)     \
  X(Scale<T, HardSwish<T>, true>)       \
  X(Scale<T, Softplus<T>, false>)       \
  X(Scale<T, Softsign<T>, false>)       \
  X(Scale<T, Mish<T>, false>)           \
  X(Scale<T, Swish<T>, false>)          \
  X(Scale<T, Shrink<T>, true>)          \
  X(Scale<T, Gelu<T>, false>)
#define AT_SUM_ROWS(X, T) \
  X(Flow<T, Constant<T>>) \
  X(Flow<T, Factor<T>>)   \
  X(Flow<T, Partial<T>>)  \
  X(SoftmaxSums<T>)       \
  X(Dots<T>)              \
  X(Sums<T>)
#define AT_MAX_ROWS(X, T) X(Magnitudes<T>)
#define AT_SCAN_ROWS(X, T) X(RunningSums<T>)
