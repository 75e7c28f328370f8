export { alignmentAlong } from './alignment/along.js'
export type { AnyCheckpoint, Checkpoints } from './alignment/checkpoints.js'
export { type MeasureOptions, measureKernel } from './alignment/compare.js'
export { diagonalByMargin, type MarginDiagonal, type MarginOptions } from './alignment/margin.js'
export type { PlainMeasures } from './alignment/table.js'
export type {
  AlongOptions,
  Checkpoint,
  CheckpointAlignment,
  KernelChange,
  KernelMargin,
  KernelMeasures,
  KernelSplitWeights,
  TargetAlignment,
} from './alignment/types.js'
export type { Parameter, Refusal, Selector } from './architecture.js'
export {
  type DType,
  type NdArray,
  readArray,
  readNpy,
  readSafetensors,
  readTensor,
  type Safetensors,
  type StoredType,
  type TypedArray,
  writeNpy,
  writeSafetensors,
  writeTensor,
} from './arrays/index.js'
export {
  type AverageFeatureOptions,
  type AverageFeatures,
  type AverageKernel,
  type AverageOptions,
  averageFeatures,
  averageKernel,
  type PathOptions,
  type PathResidual,
} from './average.js'
export type { BatchAxis } from './axes.js'
export type { DrawOptions, InitializationScheme } from './builder/draw.js'
export { type InitializeOptions, initialize } from './builder/initialize.js'
export {
  type BuildOptions,
  buildCnn,
  buildMlp,
  type CnnOptions,
  type MlpOptions,
  writeOnnx,
} from './builder/networks.js'
export type { Direction } from './calls/direction.js'
export type { FeatureArrays, ParameterFeatures } from './calls/features.js'
export type { ParameterArrays } from './calls/jacobian.js'
export type { KernelMethod, KernelSplit, NtkOptions, TangentKernels } from './calls/ntk.js'
export type { QuadratureRule } from './calls/path.js'
export type { RunOptions } from './calls/run.js'
export type { CallOptions, DerivativeOptions } from './core.js'
export { type ErrorCode, TangentError } from './errors.js'
export { checkExport, type ExportOptions, exportJvp } from './export/jvp.js'
export { exportedOperators } from './export/registry.js'
export type { Progress } from './forward/host.js'
export type { TyingOptions } from './graph/prepare.js'
export type { Inputs } from './inputs.js'
export {
  type AlignmentOptions,
  type KernelKind,
  type SpectrumOptions,
  TangentKernel,
} from './kernel.js'
export { LinearizedNetwork } from './linearize.js'
export { type LoadOptions, Network } from './network.js'
export type { AxisOptions, Dimension, ValueInfo } from './onnx/index.js'
export { KernelOperator } from './operator.js'
export { type Precision, precisionOf } from './precision.js'
export {
  type ProbeAdaptive,
  type ProbeAlignment,
  type ProbeCheckpoint,
  type ProbeFrame,
  type ProbeGroup,
  type ProbeHeldOut,
  type ProbeLayer,
  type ProbeNetwork,
  type ProbeOptions,
  type ProbeRaster,
  type ProbeReport,
  type ProbeSpectrum,
  type ProbeSubject,
  type ProbeTarget,
  type ProbeTraining,
  type ProbeTrainingOptions,
  type ProbeValue,
  probe,
  probeTraining,
  renderReport,
} from './report/index.js'
export {
  type AdaptiveOptions,
  type FitIteration,
  fitFeatures,
} from './solve/adaptive.js'
export type {
  BlockLayout,
  BlockSplit,
  NetworkFeatureOptions,
  NetworkFeatures,
} from './solve/blocks.js'
export { networkFeatures } from './solve/blocks.js'
export { combinedPenalty } from './solve/combine.js'
export {
  type EigenvalueFit,
  type EigenvalueOptions,
  fitEigenvalues,
  fitSequence,
  type SequenceFit,
} from './solve/eigenvalues.js'
export { KernelFactor } from './solve/factor.js'
export {
  type BlockShape,
  type FeatureBlock,
  type Floats,
  TangentFeatures,
} from './solve/features.js'
export { type KernelSolution, type KernelSolveOptions, solveKernel } from './solve/fixed.js'
export {
  type KernelProduct,
  type ProductSolution,
  type ProductSolveOptions,
  solveByProducts,
} from './solve/gradients.js'
export type { GramOptions } from './solve/gram.js'
export {
  AdaptiveModel,
  type BlockSolution,
  type FitStatus,
  type KernelDecomposition,
  type ModelParts,
  type Stretch,
} from './solve/model.js'
export type { SolveOptions } from './solve/native-call.js'
export {
  type ExportForm,
  fitAdaptive,
  fitFixed,
  type NetworkFitOptions,
  NetworkModel,
} from './solve/network.js'
export type { SelectionOptions } from './solve/options.js'
export {
  type CandidateErrors,
  type CrossValidation,
  type CrossValidationOptions,
  crossValidate,
  fitPath,
} from './solve/path.js'
export { type Penalty, type PenaltyValues, penaltyOf } from './solve/penalty.js'
export type { FitPrice, Price } from './solve/price.js'
export { fitByProducts, type ProductFitOptions } from './solve/products.js'
export type { BlockOptions, Structure } from './solve/rules.js'
export type { CandidatePrice, PriceSelection } from './solve/selection.js'
export {
  type ChosenRidge,
  KernelSpectrum,
  type RidgeErrors,
  type RidgeOptions,
  type TrainingTime,
} from './solve/spectrum.js'
export type { StartSummary } from './solve/starts.js'
export { loadModel, saveModel } from './solve/storage.js'
export {
  type DensityEstimate,
  type DensityOptions,
  type Estimate,
  estimateDensity,
  estimateTrace,
  type TraceEstimate,
  type TraceOptions,
} from './spectra/estimates.js'
export { type LanczosOptions, type TopEigenvalues, topEigenvalues } from './spectra/lanczos.js'
export { type TargetOptions, targetKernel } from './target.js'
export type { Loss } from './train/loss.js'
export type { AdamOptions, OptimizerOptions, Schedule, SgdOptions } from './train/optimizer.js'
export type { TrainingModel } from './train/protocol.js'
export {
  type CheckpointOptions,
  type EpochReport,
  type LabelledSamples,
  type Training,
  type TrainOptions,
  train,
} from './train/train.js'
export type { GraphValue } from './values.js'
export type { WeightSource } from './weights.js'
