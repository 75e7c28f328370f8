// The whole typed boundary to the addon. Everything native is declared here and nowhere else.
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import { TangentError } from '../core/errors.js'
import type { Floats } from '../io/index.js'
import type { NativeMeasures } from './measures.js'
import type { NativeSolve } from './solve.js'
import type { NativeTraining, NativeTrainingOptions } from './train.js'

export type * from './solve.js'

/** Value of a node's attribute as the addon takes it. 64-bit integers arrive as numbers. */
export type NativeAttribute =
  | { i: number }
  | { f: number }
  | { s: string }
  | { ints: number[] }
  | { floats: number[] }
  | { strings: string[] }

export interface NativeNode {
  op: string
  /** '' for ai.onnx. */
  domain: string
  /** The version of its domain that the model imports. */
  opset: number
  name: string
  attributes: Record<string, NativeAttribute>
  /** Value ids (indices into `NativeGraph.values`); -1 where an optional one is absent. */
  inputs: number[]
  outputs: number[]
}

export interface NativeGraph {
  /** Every value of the graph; `shape` where it is known before anything runs (initializers). */
  values: { name: string; shape?: number[] }[]
  /** All nodes in topological order, those that carry no derivative too. */
  nodes: NativeNode[]
}

export interface NativeRefusal {
  node: string
  op: string
  why: string
  remedy: string
}

/** What a reverse pass from one output to the candidates would take. */
export interface NativeAnalysis {
  /** Nodes on the way that cannot be differentiated, all of them. Empty: good to go. */
  refusals: NativeRefusal[]
  /** The candidates that are parameters: on a path to the output through differentiable inputs. */
  parameters: number[]
  /** Indices of the nodes that carry a derivative. */
  nodes: number[]
  /** Values that the output needs and that have a derivative, with no refused node before them. */
  differentiable: number[]
  /** Values whose numbers a reverse pass reads (initializers among them). */
  taps: number[]
  /** The same of a forward pass. */
  forwardTaps: number[]
  /** Values whose shapes the rules read; contains the taps, parameters and the output. */
  shapes: number[]
}

export type NativeData = Float32Array | Float64Array | BigInt64Array | Int32Array | Uint8Array

/** One value of a forward run. `data` only where `taps` names it (Uint8Array holds booleans). */
export interface NativeValue {
  id: number
  shape: number[]
  data?: NativeData
}

/** The numbers of one forward run, pinned until `release()`. */
export interface NativeFrame {
  release(): void
}

/** Which passes a forward run's numbers are read by. */
export type NativePasses = 'reverse' | 'forward' | 'both'

/** Samples [first, first + count) of input `side` (0: X, 1: X2). */
export interface NativeWant {
  side: 0 | 1
  first: number
  count: number
  passes: NativePasses
  /** Of the path, where the job has one. */
  node: number
}

/** A computation that asks for the samples it wants next, one block after another. */
export interface NativeJob {
  /** What to run next, or null when all is done. */
  next(): NativeWant | null
  /** Takes the forward run of the block that `next()` asked for; computes until it wants another. */
  feed(frame: NativeFrame): void
  /** Gives all memory back; the job cannot be used after. */
  dispose(): void
  /** Bytes of scratch and factors in use at the worst moment so far, results apart. */
  readonly peakBytes: number
  /** How each parameter was treated: 'jacobian', 'structured' or 'products'. */
  readonly methods: string[]
  /** Of a features job that is done: one entry per parameter. Release the blocks after use. */
  features(): NativeFeatures[]
  /** Of a fault job that is done: the first derivative that is not finite, or null. */
  fault(): NativeFault | null
}

/** A derivative that is not finite. */
export interface NativeFault {
  sample: number
  /** Flat index. */
  output: number
  /** Index of the parameter. */
  parameter: number
  value: number
  /** The first node in reverse that makes it so. */
  node: string
  op: string
}

/**
 * The tangent features of one parameter, as ids of shared float32 blocks (see `attachBlock`): dense
 * `x` (N, O, …shape), or in factors X[i,o] (m × k) = Σ_t δ[i,o,t,:] ⊗ h[i,t,:] with `delta`
 * (N, O, T, m) and `h` (N, T, k), the parameter being stored m × k, or k × m when `transposed`.
 * Where h[i,t,:] holds a single 1 there is an int32 block `columns` (N, T) in its stead.
 * `bias`: index of the parameter whose features are Σ_t δ[i,o,t,:], or -1. A dense one has rows and
 * cols where the parameter is used as one matrix.
 */
export type NativeFeatures =
  | ({ x: number } & Partial<NativeMatrixUse>)
  | ({ delta: number; positions: number } & ({ h: number } | { columns: number }) & NativeMatrixUse)

export interface NativeMatrixUse {
  rows: number
  cols: number
  transposed: boolean
  bias: number
}

/** Common to all jobs. */
export interface NativeJobOptions {
  /** Samples in X. */
  samples: number
  /** Flat indices of the outputs wanted, in the order wanted. */
  outputs: number[]
  threads: number
  /** Bytes that the job may use beside its results. */
  memory: number
  /** BigInt64Array over a SharedArrayBuffer: [0] set to stop, [1] work done, [2] work in all. */
  control?: BigInt64Array
  /** Force a block size in samples (for tests of tiling); 0 or absent: chosen. */
  block?: number
  /** The same for the outputs that are carried back at once. */
  outputBlock?: number
}

export interface NativeNtkOptions extends NativeJobOptions {
  /** Samples in X2; absent: the kernel of X with itself, computed once and mirrored. */
  samples2?: number
  kernel: 'full' | 'trace' | 'diagonal'
  method: 'auto' | 'jacobian' | 'structured' | 'products'
  /** For each parameter the index of the result that it adds to. */
  groups: number[]
  /** Ids of shared blocks, float32: (N1,O,N2,O), (N1,N2) or (N1,N2,O) each. Overwritten. */
  results: number[]
  /** Averages the features over a path of parameters: each block is run at every node. */
  path?: {
    /** Of the nodes' features. */
    weights: number[]
    /** Of each node's J·Δ in `change`. */
    changeWeights: number[]
    /** Which of `directions` is each node's Δ. */
    segments: number[]
    /** Per segment and parameter Δ (…shape), or null where zero. */
    directions: (Floats | null)[][]
    /** One shared block, float32 (N, O): Σ_k changeWeights[k] J(θ_k)·Δ of X. */
    change: number
  }
}

export interface NativeJacobianOptions extends NativeJobOptions {
  /** One shared block per parameter, float32 (N, O, …shape). */
  results: number[]
  path?: NativeNtkOptions['path']
}

export interface NativeVjpOptions extends NativeJobOptions {
  /** (N, O, columns) cotangents. */
  cotangents: Floats
  /** Vectors carried at once; absent: 1. */
  columns?: number
  /** One shared block per parameter, float32 (columns, …shape): Σ_i Σ_o u[i,o] ∂f_o(x_i)/∂θ. */
  results: number[]
}

export interface NativeJvpOptions extends NativeJobOptions {
  /** Per parameter (columns, …shape), or null where zero. */
  directions: (Floats | null)[]
  /** Directions carried at once; absent: 1. */
  columns?: number
  /** One shared block, float32 (N, O, columns): J·U. */
  result: number
}

export interface NativeNormalOptions extends Omit<NativeJvpOptions, 'result'> {
  /** One shared block per parameter, float32 (columns, …shape): Jᵀ(J·U). */
  results: number[]
}

export interface NativeProductOptions extends NativeJobOptions {
  /** (N, O, q). */
  vectors: Floats
  columns: number
  /** One shared block, float32 (N, O, q): K·v. */
  result: number
}

/** The differentiable part of one network, from the candidates to one output. Immutable. */
export interface NativeEngine {
  readonly analysis: NativeAnalysis
  /**
   * Tells where the batch lies, from the shapes (of `analysis.shapes`) of two runs with different
   * numbers of samples. With one run (`second` absent) it must have had one sample.
   * Returns the name of the first node whose output mixes samples, or null.
   */
  layout(
    first: { samples: number; shapes: { id: number; shape: number[] }[] },
    second?: { samples: number; shapes: { id: number; shape: number[] }[] },
  ): { node: string; why: string } | null
  /**
   * Requires `layout`. The typed arrays are pinned and must not be transferred until released.
   * `passes` tells by which passes it may be read (default: reverse).
   */
  frame(samples: number, values: NativeValue[], passes?: NativePasses): NativeFrame
  ntk(options: NativeNtkOptions): NativeJob
  jacobian(options: NativeJacobianOptions): NativeJob
  vjp(options: NativeVjpOptions): NativeJob
  jvp(options: NativeJvpOptions): NativeJob
  product(options: NativeProductOptions): NativeJob
  features(options: NativeJobOptions): NativeJob
  normal(options: NativeNormalOptions): NativeJob
  /** Index of the first of a block's `count` numbers that is not finite, or -1. */
  firstNotFinite(id: number, count: number): number
  /** Looks for the first sample with a derivative that is not finite. */
  fault(options: NativeJobOptions): NativeJob
  training(options: NativeTrainingOptions): NativeTraining
}

export interface NativeAddon extends NativeSolve, NativeMeasures {
  /** Name, version and chosen kernel of the BLAS in use. */
  readonly blas: string
  /** Operators that have a rule: 'Relu', 'com.microsoft::Gelu', … */
  readonly operators: string[]
  /**
   * A block of uninitialised memory as an ArrayBuffer of this thread and an id by which the addon finds
   * the same block from any other thread. It lives until both the buffer is collected and
   * `releaseBlock(id)` was called.
   */
  allocateBlock(bytes: number): { buffer: ArrayBuffer; id: number }
  releaseBlock(id: number): void
  /** Releases a block that nobody will read: what it held is lost, its memory given back now. */
  discardBlock(id: number): void
  /** Gives memory that calls left for the next ones back to the system. */
  releaseSpareMemory(): void
  /** A block made elsewhere as an ArrayBuffer of this thread. Attach a block in one thread only. */
  attachBlock(id: number, bytes: number): ArrayBuffer
  /** Throws a code'd error when the graph is malformed; refusals are in `analysis`. */
  createEngine(graph: NativeGraph, candidates: number[], output: number): NativeEngine
  /** The same in float64: all arrays of numbers that it takes and gives are Float64Array. */
  createDoubleEngine: NativeAddon['createEngine']
  /**
   * For each value the constant's role that it has wherever a derivative flows to it ('an exponent');
   * '' where it has another use, or none.
   */
  constantRoles(graph: NativeGraph, ids: number[]): string[]
  /** Eigenvalues of a symmetric n × n matrix, descending, by LAPACK in double. */
  eigenvalues(matrix: Floats, n: number): Promise<Float64Array>
  /** Eigenvalues (descending) and eigenvectors (row j belongs to eigenvalue j). */
  eigenvectors(matrix: Floats, n: number): Promise<{ values: Float64Array; vectors: Float64Array }>
  /** c (m, n) = op(a)·op(b) + beta·c, at once: a is (m, k), or (k, m) when transposed. */
  gemm(
    ...args: [
      ...transposed: [a: boolean, b: boolean],
      ...sizes: [m: number, n: number, k: number],
      ...arrays: [a: Float32Array, b: Float32Array, beta: number, c: Float32Array],
      threads: number,
    ]
  ): void
  /** Makes sure of the memory that `threads` threads work in; throws OUT_OF_MEMORY. */
  reserveThreads(threads: number): void
  /** Ends the process at once, threads that never end included. */
  exitNow(code: number): void
  /** GFLOP/s of a float32 GEMM of size n³ on `threads` threads, and GB/s of a memory copy. */
  machine(n: number, threads: number): { gemm: number; copy: number }
  /**
   * On one thread each: GFLOP/s of a float64 GEMM of 1024³, seconds of LAPACK's dpotrf of size n, of
   * its dsyevd of size n (0 above 1500), and of dgesdd for each [m, k].
   */
  factorisations(
    n: number,
    shapes: [m: number, k: number][],
  ): { gemm: number; potrf: number; syevd: number; gesdd: number[] }
}

const require = createRequire(import.meta.url)
// The file lies in lib/ when run from source and in dist/lib/ when compiled.
const here = fileURLToPath(import.meta.url)
const root = here.replace(/(\/dist)?\/lib\/native\/index\.[jt]s$/, '')

function load(): NativeAddon {
  try {
    return require(`${root}/build/Release/adaptive_tangent.node`)
  } catch (cause) {
    const [why] = (cause as Error).message.split('\n')
    throw new TangentError(
      'FAILED',
      `The native addon cannot be loaded (${why}); build it with npm rebuild adaptive-tangent, or npm run build in a checkout`,
      { cause },
    )
  }
}

export const native: NativeAddon = load()
