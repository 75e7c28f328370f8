// The public calls with arguments that are right, and the names of their options.
import {
  alignmentAlong,
  averageFeatures,
  averageKernel,
  buildCnn,
  buildMlp,
  combinedPenalty,
  crossValidate,
  diagonalByMargin,
  estimateDensity,
  estimateTrace,
  fitAdaptive,
  fitByProducts,
  fitEigenvalues,
  fitFeatures,
  fitFixed,
  fitPath,
  fitSequence,
  initialize,
  KernelFactor,
  KernelSpectrum,
  loadModel,
  measureKernel,
  Network,
  type NetworkModel,
  networkFeatures,
  nystrom,
  penaltyOf,
  predictRows,
  probe,
  probeTraining,
  saveModel,
  sketch,
  solveByProducts,
  solveKernel,
  solveSoftmax,
  type TangentFeatures,
  TangentKernel,
  targetKernel,
  topEigenvalues,
  train,
  writeOnnx,
} from '../../lib/index.js'
import { sourceOf } from '../../lib/io/index.js'
import { mlp, samples } from './networks.js'
import { adaptCalls, setUpAdapt, tearDownAdapt } from './public-adapt.js'
import { auditCalls, setUpAudit } from './public-audit.js'
import { fileCalls } from './public-files.js'
import { jobCalls, setUpJobs } from './public-jobs.js'
import { Random } from './random.js'

const random = new Random(23)
const bytes = mlp(random, [3, 4, 2])
const x = samples(random, [6, 3])
const u = samples(random, [6, 2])
const v = Float64Array.from({ length: 12 }, (_, e) => Math.sin(e))
const direction = new Map([['l.0.bias', samples(random, [4])]])
const gram = new TangentKernel(
  Float32Array.from({ length: 144 }, (_, e) => (e % 13 === 0 ? 2 : 0.1)),
  [6, 2, 6, 2],
  'full',
  true,
)
const square = (p: Float64Array) => Promise.resolve(p.slice())

const source = sourceOf(x)

let network: Network
let other: Network
let features: TangentFeatures
let fitted: NetworkModel
let factor: KernelFactor
let spectrum: KernelSpectrum
/** What the calls are made of. */
export async function setUp(): Promise<void> {
  network = await Network.load(bytes)
  other = await network.withParameters(direction)
  features = (await networkFeatures(network, x)).features
  fitted = await fitAdaptive(network, x, u, { maxIterations: 2 })
  factor = await KernelFactor.of(gram, 0.1)
  spectrum = await KernelSpectrum.of(gram)
  await setUpJobs(network, x)
  await setUpAudit(network)
  await setUpAdapt(network)
}

export async function tearDown(): Promise<void> {
  await tearDownAdapt()
  await network.dispose()
  await other.dispose()
}

// biome-ignore lint/suspicious/noExplicitAny: wrong arguments are the matter here.
type Any = any
/** A public call: arguments that are right, and how it is called. */
export interface Call {
  args: () => Any[]
  call: (...args: Any[]) => unknown
  /** Names of the options, which come last; none where there are no options. */
  options?: string
  /** Arguments that may be anything, or left out. */
  free?: number[]
}

const common = 'signal onProgress threads memory'
const derivative = `${common} nonFinite outputs block outputBlock`
const kernelOptions = `${derivative} kernel method by`
const solving = 'signal threads memory'
const fit = `${solving} onIteration ridge price selection starts perBlock tolerance stationarity maxIterations solver depth start resume onCheckpoint checkpointEvery left right structure power`
const draw = 'scheme seed variance'

export const calls: Record<string, Call> = {
  'Network.load': {
    args: () => [bytes, {}],
    call: (...a) => Network.load(...(a as [Any])).then((one) => one.dispose()),
    options:
      'output parameters frozen batch threads memory externalData unsupported tied untied constants batchAxis shared',
  },
  run: {
    args: () => [x, {}],
    call: (...a) => network.run(...(a as [Any])),
    options: `${common} output outputs`,
  },
  ntkGroups: {
    args: () => [x, 1, {}],
    call: (...a) => network.ntkGroups(...(a as [Any, Any])),
    options: `${derivative} kernel method mean`,
  },
  jacobian: {
    args: () => [x, {}],
    call: (...a) => network.jacobian(...(a as [Any])),
    options: derivative,
  },
  features: {
    args: () => [x, {}],
    call: (...a) => network.features(...(a as [Any])),
    options: derivative,
  },
  vjp: {
    args: () => [x, u, {}],
    call: (...a) => network.vjp(...(a as [Any, Any])),
    options: derivative,
  },
  jvp: {
    args: () => [x, direction, {}],
    call: (...a) => network.jvp(...(a as [Any, Any])),
    options: derivative,
  },
  normalProduct: {
    args: () => [x, direction, {}],
    call: (...a) => network.normalProduct(...(a as [Any, Any])),
    options: derivative,
  },
  ntk: {
    args: () => [x, x, {}],
    call: (...a) => network.ntk(...(a as [Any, Any])),
    options: kernelOptions,
    free: [1],
  },
  ntkProduct: {
    args: () => [x, u, {}],
    call: (...a) => network.ntkProduct(...(a as [Any, Any])),
    options: derivative,
  },
  kernelOperator: {
    args: () => [x, {}],
    call: async (...a) => (await network.kernelOperator(...(a as [Any]))).product(v),
    options: derivative,
  },
  'KernelOperator.product': {
    args: () => [v, 1, {}],
    call: async (...a) => (await network.kernelOperator(x)).product(...(a as [Any])),
    options: 'signal',
    free: [1],
  },
  'KernelOperator.topEigenvalues': {
    args: () => [{}],
    call: async (...a) => (await network.kernelOperator(x)).topEigenvalues(...a),
    options: 'count tolerance maxIterations seed signal onProgress',
  },
  linearize: {
    args: () => [x, direction, {}],
    call: (...a) => network.linearize().predict(...(a as [Any, Any])),
    options: derivative,
  },
  batchAxes: { args: () => [{}], call: (...a) => network.batchAxes(...a), options: common },
  withParameters: {
    args: () => [direction],
    call: (...a) => network.withParameters(...(a as [Any])).then((one) => one.dispose()),
  },
  weight: { args: () => ['l.0.bias'], call: (...a) => network.weight(...(a as [Any])) },
  toOnnx: { args: () => [], call: () => network.toOnnx() },
  averageKernel: {
    args: () => [network, other, x, { points: 2 }],
    call: (...a) => averageKernel(...(a as [Any, Any, Any])),
    options: `${kernelOptions} points rule`,
  },
  averageFeatures: {
    args: () => [network, other, x, { points: 2 }],
    call: (...a) => averageFeatures(...(a as [Any, Any, Any])),
    options: `${derivative} points rule`,
  },
  eigenvalues: {
    args: () => [undefined, {}],
    call: (...a) => gram.eigenvalues(...a),
    options: 'signal',
    free: [0],
  },
  alignment: {
    args: () => [gram, {}],
    call: (...a) => gram.alignment(...(a as [Any])),
    options: 'centred',
  },
  TangentKernel: {
    args: () => [new Float32Array(4), [2, 2], 'trace', true],
    call: (...a) => new TangentKernel(...(a as [Any, Any, Any, Any])),
    free: [3],
  },
  targetKernel: {
    args: () => [u, {}],
    call: (...a) => targetKernel(...(a as [Any])),
    options: 'kernel classes centred',
  },
  measureKernel: {
    args: () => [gram, { target: u }],
    call: (...a) => measureKernel(...(a as [Any])),
    options: 'target top threads memory signal initial previous learned outputs spectrum',
  },
  diagonalByMargin: {
    args: () => [gram, u, {}],
    call: (...a) => diagonalByMargin(...(a as [Any, Any])),
    options: 'classes share',
  },
  alignmentAlong: {
    args: () => [network, x, [network, other], { target: u }],
    call: async (...a) => {
      for await (const _ of alignmentAlong(...(a as [Any, Any, Any])));
    },
    options: `${derivative} target learned kernel by method top spectrum spectrumLimit count`,
  },
  probe: {
    args: () => [[{ name: 'a', network, file: 'a' }], x, u, { adaptiveRows: 0 }],
    call: (...a) => probe(...(a as [Any, Any])),
    options: `${common} nonFinite outputs method classNames inputFiles targetFile cells spectrumLimit adaptiveRows count`,
    free: [2],
  },
  probeTraining: {
    args: () => [network, x, [network, other], u, {}],
    call: (...a) => probeTraining(...(a as [Any, Any, Any])),
    options: `${derivative} learned method top spectrum spectrumLimit count learnedName cells`,
    free: [3],
  },
  networkFeatures: {
    args: () => [network, x, {}],
    call: (...a) => networkFeatures(...(a as [Any, Any])),
    options: `${derivative} blocks`,
  },
  fitAdaptive: {
    args: () => [network, x, u, { maxIterations: 2 }],
    call: (...a) => fitAdaptive(...(a as [Any, Any, Any])),
    options: `${fit} outputs blocks onProgress`,
  },
  fitFixed: {
    args: () => [network, x, u, {}],
    call: (...a) => fitFixed(...(a as [Any, Any, Any])),
    options: `${solving} ridge outputs`,
  },
  predict: {
    args: () => [network, x, {}],
    call: (...a) => fitted.predict(...(a as [Any, Any])),
    options: common,
  },
  fitFeatures: {
    args: () => [features, v, { maxIterations: 2 }],
    call: (...a) => fitFeatures(...(a as [Any, Any])),
    options: fit,
  },
  fitByProducts: {
    args: () => [network, x, u, {}],
    call: (...a) => fitByProducts(...(a as [Any, Any, Any])),
    options: `${solving} ridge`,
  },
  fitPath: {
    args: () => [features, v, [{ ridge: 0.1 }], { maxIterations: 2 }],
    call: (...a) => fitPath(...(a as [Any, Any, Any])),
    options: fit,
  },
  crossValidate: {
    args: () => [features, v, { a: { maxIterations: 2 }, b: { structure: 'fixed' } }, {}],
    call: (...a) => crossValidate(...(a as [Any, Any, Any])),
    options: 'folds seed repeats',
  },
  solveKernel: {
    args: () => [gram, v, {}],
    call: (...a) => solveKernel(...(a as [Any, Any])),
    options: `${solving} ridge outputs precision`,
  },
  solveSoftmax: {
    args: () => [
      { data: Float64Array.of(2, 0, 0, 2), shape: [1, 2, 1, 2] },
      Float64Array.of(1, 0),
      {},
    ],
    call: (...a) => solveSoftmax(...(a as [Any, Any])),
    options: `${solving} outputs ridge offset maxIterations`,
  },
  'KernelFactor.of': {
    args: () => [gram, 0.1, {}],
    call: (...a) => KernelFactor.of(...(a as [Any, Any])),
    options: `${solving} outputs`,
  },
  'KernelFactor.solve': { args: () => [v], call: (...a) => factor.solve(...(a as [Any])) },
  'KernelFactor.leaveOneOut': {
    args: () => [v, {}],
    call: (...a) => factor.leaveOneOut(...(a as [Any])),
    options: 'signal',
  },
  'KernelFactor.inverseBlocks': {
    args: () => [{}],
    call: (...a) => factor.inverseBlocks(...a),
    options: 'signal',
  },
  'KernelSpectrum.of': {
    args: () => [gram, {}],
    call: (...a) => KernelSpectrum.of(...(a as [Any])),
    options: `${solving} outputs`,
  },
  'KernelSpectrum.coefficients': {
    args: () => [v, 0.1],
    call: (...a) => spectrum.coefficients(...(a as [Any, Any])),
  },
  'KernelSpectrum.errors': {
    args: () => [v, [0.1], {}],
    call: (...a) => spectrum.errors(...(a as [Any, Any])),
    options: 'signal',
  },
  'KernelSpectrum.chooseRidge': {
    args: () => [v, {}],
    call: (...a) => spectrum.chooseRidge(...(a as [Any])),
    options: 'by precision signal',
  },
  'KernelSpectrum.trained': {
    args: () => [v, { time: 1 }],
    call: (...a) => spectrum.trained(...(a as [Any, Any])),
    options: 'time steps learningRate loss',
  },
  'KernelSpectrum.filter': {
    args: () => [new Float64Array(12), v],
    call: (...a) => spectrum.filter(...(a as [Any, Any])),
  },
  fitSequence: {
    args: () => [[1, 0.5], [1, 1], 0.1, {}],
    call: (...a) => fitSequence(...(a as [Any, Any, Any])),
    options: `${solving} depth start time`,
  },
  fitEigenvalues: {
    args: () => [spectrum, v, 0.1, {}],
    call: (...a) => fitEigenvalues(...(a as [Any, Any, Any])),
    options: `${solving} depth start time`,
  },
  solveByProducts: {
    args: () => [square, v, {}],
    call: (...a) => solveByProducts(...(a as [Any, Any])),
    options: `${solving} ridge tolerance maxIterations start rank`,
  },
  topEigenvalues: {
    args: () => [square, 12, { count: 2 }],
    call: (...a) => topEigenvalues(...(a as [Any, Any])),
    options: 'count tolerance maxIterations seed threads signal onProgress',
  },
  estimateTrace: {
    args: () => [square, 12, {}],
    call: (...a) => estimateTrace(...(a as [Any, Any])),
    options: 'probes together seed threads signal onProgress',
  },
  estimateDensity: {
    args: () => [square, 12, {}],
    call: (...a) => estimateDensity(...(a as [Any, Any])),
    options: 'probes steps seed threads signal onProgress',
  },
  penaltyOf: {
    args: () => [[1, 2], [2, 1], 1],
    call: (...a) => penaltyOf(...(a as [Any, Any, Any])),
    free: [1],
  },
  combinedPenalty: {
    args: () => [[2], [2, 1]],
    call: (...a) => combinedPenalty(...(a as [Any, Any])),
  },
  train: {
    args: () => [
      network,
      { x, target: u },
      { loss: 'squared', optimizer: { kind: 'sgd', learningRate: 0.1 }, epochs: 1, batch: 3 },
    ],
    call: (...a) => train(...(a as [Any, Any, Any])),
    options: `${common} nonFinite model loss optimizer schedule epochs batch samplesPerEpoch seed test evaluateEvery checkpoints resume onEpoch`,
  },
  buildMlp: {
    args: () => [{ inputs: 3, hidden: [4], outputs: 2 }],
    call: (...a) => buildMlp(...(a as [Any])),
    options: `${draw} inputs hidden outputs bias parameterization weightScale biasScale`,
  },
  buildCnn: {
    args: () => [{ image: [1, 16, 16], width: 1, outputs: 2 }],
    call: (...a) => buildCnn(...(a as [Any])),
    options: `${draw} image width dense outputs bias parameterization weightScale biasScale`,
  },
  initialize: {
    args: () => [network, {}],
    call: (...a) => initialize(...(a as [Any])),
    options: draw,
  },
  predictRows: {
    args: () => [fitted, network, source, {}],
    call: async (...a) => {
      for await (const _ of predictRows(...(a as [Any, Any, Any, Any])));
    },
    options: common,
  },
  sketch: {
    args: () => [network, x, { size: 8, check: 2 }],
    call: (...a) => sketch(...(a as [Any, Any])),
    options: `${derivative} size kind seed by heads check like sink tile`,
  },
  nystrom: {
    args: () => [network, x, { landmarks: 2, check: 2 }],
    call: (...a) => nystrom(...(a as [Any, Any])),
    options: `${common} outputs landmarks seed check`,
  },
  loadModel: { args: () => ['nothing'], call: (...a) => loadModel(...(a as [Any])) },
  saveModel: {
    args: () => ['/dev/null', fitted, {}],
    call: (...a) => saveModel(...(a as [Any, Any])),
    options: 'signal',
  },
  ...auditCalls,
  ...adaptCalls,
  ...fileCalls(x, u),
  ...jobCalls(() => network, x, [common, derivative, kernelOptions]),
  writeOnnx: {
    args: () => ['/dev/null', bytes, {}],
    call: (...a) => writeOnnx(...(a as [Any, Any])),
    options: 'signal',
  },
}
