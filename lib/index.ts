export { adapt } from './adapt/adapt.js'
export type { AdaptCandidate, AdaptLoss, AdaptSelection } from './adapt/choose.js'
export type { RidgeCandidate } from './adapt/linear-head.js'
export { AdaptedModel, type HoldoutScores, type ProbeChoice } from './adapt/model.js'
export type { AdaptOptions, HeldOutSamples } from './adapt/options.js'
export type { Score, Scores } from './adapt/scores.js'
export type { AdaptTargets, TargetKind } from './adapt/targets.js'
export { alignmentAlong } from './alignment/along.js'
export {
  type CheckpointUnit,
  checkpointFiles,
  sortCheckpoints,
} from './alignment/checkpoint-files.js'
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
export { type AuditOptions, audit } from './audit/audit.js'
export { type DeviationOptions, deviationRows } from './audit/deviations.js'
export type { Evidence } from './audit/evidence.js'
export type { Head, HeadOfValue } from './audit/influence/heads.js'
export { influence } from './audit/influence/influence.js'
export type { AdamMetric } from './audit/influence/metric.js'
export type { Influence, InfluenceMethod, InfluenceOptions } from './audit/influence/types.js'
export {
  type LaplaceEvidence,
  type LaplaceOptions,
  LaplacePosterior,
  type LaplacePrediction,
  type LaplacePredictOptions,
  type LaplaceSettings,
  lastLayer,
} from './audit/laplace/laplace.js'
export type { Likelihood } from './audit/laplace/likelihood.js'
export type { SketchPosteriorOptions } from './audit/low-rank.js'
export { type AuditPictures, auditPictures } from './audit/pictures.js'
export {
  KernelPosterior,
  type LeftOut,
  type PosteriorOptions,
  type PosteriorSampleOptions,
  type QueryOptions,
} from './audit/posterior.js'
export {
  type SampledVariance,
  type SampledVarianceOptions,
  sampledVariance,
} from './audit/sampled.js'
export { selfKernel } from './audit/self.js'
export type { Audit, AuditLabels, AuditPair, AuditQuery, AuditSamples } from './audit/types.js'
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
export { type ErrorCode, TangentError } from './core/errors.js'
export type { Progress } from './core/progress.js'
export type { Direction } from './derivatives/direction.js'
export type { FeatureArrays, ParameterFeatures } from './derivatives/features.js'
export type { ParameterArrays } from './derivatives/jacobian.js'
export type { QuadratureRule } from './derivatives/path.js'
export type { RunOptions } from './derivatives/run.js'
export type { SinkOptions } from './derivatives/tiles.js'
export { checkExport, type ExportOptions, exportJvp } from './export/jvp.js'
export { exportedOperators } from './export/registry.js'
export {
  type AdaptiveOptions,
  type FitIteration,
  fitFeatures,
} from './fit/adaptive.js'
export type {
  BlockLayout,
  BlockSplit,
  NetworkFeatureOptions,
  NetworkFeatures,
} from './fit/blocks.js'
export { networkFeatures } from './fit/blocks.js'
export type { CandidatePrice, PriceSelection, StartSummary } from './fit/choices.js'
export { combinedPenalty } from './fit/combine.js'
export { type CoordinateFit, type CoordinateOptions, fitCoordinates } from './fit/coordinates.js'
export { type EigenvalueFit, fitEigenvalues } from './fit/eigenvalues.js'
export {
  type BlockShape,
  type FeatureBlock,
  type Floats,
  TangentFeatures,
} from './fit/features.js'
export { type KernelSolution, type KernelSolveOptions, solveKernel } from './fit/fixed.js'
export type { SelectionError } from './fit/held-out.js'
export {
  AdaptiveModel,
  type BlockSolution,
  type FitStatus,
  type KernelDecomposition,
  type ModelParts,
  type Stretch,
} from './fit/model.js'
export {
  type ExportForm,
  fitAdaptive,
  fitFixed,
  type NetworkFitOptions,
  NetworkModel,
} from './fit/network.js'
export type { SelectionOptions } from './fit/options.js'
export {
  type CandidateErrors,
  type CrossValidation,
  type CrossValidationOptions,
  crossValidate,
  fitPath,
} from './fit/path.js'
export { type Penalty, type PenaltyValues, penaltyOf } from './fit/penalty.js'
export type { FitPrice, Price } from './fit/price.js'
export { fitByProducts, type ProductFitOptions } from './fit/products.js'
export type { FitLoss } from './fit/ridge-folds.js'
export { type InputSources, predictRows } from './fit/rows.js'
export type { BlockOptions, Structure } from './fit/rules.js'
export {
  type AccuracyOptions,
  accuracy,
  oneHot,
  type SampleArrays,
  type SplitOptions,
  split,
  take,
} from './fit/samples.js'
export {
  type EigenvalueOptions,
  type FlowScales,
  fitSequence,
  type SequenceFit,
} from './fit/sequence.js'
export { loadModel, saveModel } from './fit/storage.js'
export type { TyingOptions } from './graph/prepare.js'
export {
  type ArrayKind,
  type ArraySource,
  type DType,
  type ImageOptions,
  type ImageSource,
  type NdArray,
  type NormalizeOptions,
  normalized,
  type OpenOptions,
  openArray,
  openImages,
  type RowsHeader,
  readArray,
  readNpy,
  readSafetensors,
  readTensor,
  type Safetensors,
  type StoredType,
  type TypedArray,
  type WriteArrayOptions,
  writeArray,
  writeNpy,
  writeRows,
  writeSafetensors,
  writeTensor,
} from './io/index.js'
export {
  MemorySink,
  type Tile,
  type TiledArray,
  type TilePlace,
  type TilePlan,
  type TileReport,
  type TileSink,
  transposed,
} from './io/sink.js'
export { type AlignmentOptions, type SpectrumOptions, TangentKernel } from './kernels/kernel.js'
export type { KernelMethod, KernelSplit, NtkOptions, TangentKernels } from './kernels/ntk.js'
export { KernelOperator } from './kernels/operator.js'
export type { SketchOptions } from './kernels/sketch/job.js'
export type { ErrorPair, SketchError, SketchKind, SketchMap } from './kernels/sketch/types.js'
export { type TargetOptions, targetKernel } from './kernels/target.js'
export {
  type ProductSolution,
  type ProductSolveOptions,
  solveByProducts,
} from './linear/conjugate-gradients.js'
export {
  type DensityEstimate,
  type DensityOptions,
  type Estimate,
  estimateDensity,
  estimateTrace,
  type TraceEstimate,
  type TraceOptions,
} from './linear/estimates.js'
export { KernelFactor, type SampleOptions } from './linear/factor.js'
export type { GramOptions } from './linear/gram.js'
export { type LanczosOptions, type TopEigenvalues, topEigenvalues } from './linear/lanczos.js'
export type { KernelProduct } from './linear/product.js'
export type { ChosenRidge, RidgeErrors, RidgeOptions } from './linear/ridge.js'
export { type SoftmaxOptions, type SoftmaxSolution, solveSoftmax } from './linear/softmax.js'
export { KernelSpectrum } from './linear/spectrum.js'
export type { TrainingTime } from './linear/training-time.js'
export type { Refusal } from './model/architecture.js'
export type { BatchAxis } from './model/axes.js'
export type { CallOptions, DerivativeOptions } from './model/core.js'
export type { Inputs, Samples } from './model/inputs.js'
export type { Parameter, Selector } from './model/parameters.js'
export type { GraphValue } from './model/values.js'
export type { WeightSource } from './model/weights.js'
export type { SolveOptions } from './native/call.js'
export type { ChosenDevice, DeviceName, MeasuredError, ProductPrecision } from './native/device.js'
export type { KernelKind } from './native/engine.js'
export {
  type AverageFeatureOptions,
  type AverageFeatures,
  type AverageKernel,
  type AverageOptions,
  averageFeatures,
  averageKernel,
  type PathOptions,
  type PathResidual,
} from './network/average.js'
export {
  describeJob,
  type JobDescription,
  type JobRequest,
  type RunJobOptions,
  runJob,
} from './network/job.js'
export { LinearizedNetwork } from './network/linearize.js'
export { type LoadOptions, Network } from './network/network.js'
export { type Precision, precisionOf } from './network/precision.js'
export { readJob, writeJob } from './network/stored-job.js'
export type { AxisOptions, Dimension, ValueInfo } from './onnx/index.js'
export {
  type AuditPageOptions,
  type KernelReport,
  type ProbeAdaptive,
  type ProbeAlignment,
  type ProbeCheckpoint,
  type ProbeClasses,
  type ProbeEigenvector,
  type ProbeEstimate,
  type ProbeFrame,
  type ProbeGraph,
  type ProbeGraphNode,
  type ProbeGroup,
  type ProbeHeldOut,
  type ProbeKernelOptions,
  type ProbeLayer,
  type ProbeNetwork,
  type ProbeOptions,
  type ProbePair,
  type ProbeQuantity,
  type ProbeRaster,
  type ProbeReport,
  type ProbeSpectrum,
  type ProbeSubject,
  type ProbeTarget,
  type ProbeThumbnails,
  type ProbeTraining,
  type ProbeTrainingOptions,
  type ProbeValue,
  probe,
  probeKernel,
  probeTraining,
  renderAudit,
  renderKernel,
  renderReport,
} from './report/index.js'
export {
  type NearestOptions,
  type SketchKernelOptions,
  TangentSketch,
} from './sketch/features.js'
export { type NystromOptions, nystrom } from './sketch/nystrom.js'
export { type MeasuredSketchOptions, type SketchReport, sketch } from './sketch/sketch.js'
export type { StoreRequest } from './store/calls.js'
export {
  type OpenKernelOptions,
  openKernel,
  StoredKernel,
  type StoredMeasures,
} from './store/kernel.js'
export type { Manifest } from './store/manifest.js'
export type { StoreRounding, StoreType } from './store/rounding.js'
export type { StoreInputs } from './store/samples.js'
export type { StoreEstimate, StoreStatus } from './store/status.js'
export { createStore, openStore, type Store, type StoreOptions } from './store/store.js'
export type { WorkOptions, WorkReport } from './store/work.js'
export type { Loss } from './train/loss.js'
export type { AdamOptions, OptimizerOptions, Schedule, SgdOptions } from './train/optimizer.js'
export type {
  CheckpointOptions,
  EpochReport,
  LabelledSamples,
  TrainOptions,
} from './train/options.js'
export type { TrainingModel } from './train/protocol.js'
export type { Training } from './train/result.js'
export { train } from './train/train.js'
