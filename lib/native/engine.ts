// What the addon knows of networks: their graphs, and the jobs that derive them.
import type { NativeDeviceCounts } from './counts.js'
import type { NativeFrame, NativeValue } from './frame.js'
import type { NativeTraining, NativeTrainingOptions } from './train.js'

/** What a tangent kernel keeps of the outputs. */
export type KernelKind = 'full' | 'trace' | 'diagonal'

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
  /** How each parameter was treated: 'jacobian', 'structured' or 'mixed'. */
  readonly methods: string[]
  /** What was asked of the device so far; null where the processor computes. */
  readonly device: NativeDeviceCounts | null
  /**
   * Of a job that gives its result in tiles the next one that is whole, with the ids of its blocks, one
   * for each result; null: none is. Whoever takes it releases them.
   */
  takeTile(): { row: number; column: number; blocks: number[] } | null
  /**
   * What a job that is done tells in addition to its results: of features NativeFeatures (release the blocks
   * after use), of a search for faults the first NativeFault, if there is one.
   */
  report(): object[]
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
 * The tangent features of one parameter, as ids of shared float32 arrays (see `attachShared`): dense
 * `x` (N, O, …shape), or in factors X[i,o] (m × k) = Σ_t δ[i,o,t,:] ⊗ h[i,t,:] with `delta`
 * (N, O, T, m) and `h` (N, T, k), the parameter being stored m × k, or k × m when `transposed`.
 * Where h[i,t,:] holds a single 1 there is an int32 block `columns` (N, T) in its place.
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

/** How the addon reads an option of a job: see native/jobs/options.h. */
export type NativeType =
  | 'integer'
  | 'text'
  | 'integers'
  | 'numbers'
  /** Real numbers in place, pinned while the job lives; of `arrays` null stands for zeros. */
  | 'array'
  | 'arrays'
  /** Ids of the shared memory that the job writes to. */
  | 'blocks'

/** Types by name; fields in turn where the option is an object. */
export interface NativeFields {
  readonly [name: string]: NativeType | NativeFields
}

/** What all jobs are told. */
export interface NativeJobOptions {
  /** Samples in X. */
  samples: number
  /** Samples in X2, of a kernel between two inputs. */
  samples2?: number
  /** Flat indices of the outputs wanted, in the order wanted. */
  outputs: number[]
  threads: number
  /** Bytes that the job may use in addition to its results. */
  memory: number
  /** Bytes that a forward run holds for each sample, and whatever their number. */
  forward?: number
  forwardFixed?: number
  /** Force a block size in samples (for tests of tiling); 0 or absent: chosen. */
  block?: number
  /** The same for the outputs that are carried back at once. */
  outputBlock?: number
  results?: number[]
  /** Of kernels that leave in tiles: samples a side, and row · columns + column of those not wanted. */
  tile?: number
  finished?: number[]
  /** Absent: the processor. */
  device?: string
  precision?: string
}

/** The differentiable part of one network, from the candidates to one output. Immutable. */
export interface NativeEngine {
  readonly analysis: NativeAnalysis
  /** Numbers of all values of one sample; after `layout`. */
  readonly extent: number
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
  /**
   * Starts a job of a kind that is registered in native/jobs; see lib/runtime/jobs.
   * @param fields how the options are read
   * @param control over a SharedArrayBuffer: [0] set to stop, [1] work done, [2] work in all
   */
  start(
    kind: string,
    fields: NativeFields,
    options: NativeJobOptions,
    control?: BigInt64Array,
  ): NativeJob
  /** Index of the first of a block's `count` numbers that is not finite, or -1. */
  firstNotFinite(id: number, count: number): number
  training(options: NativeTrainingOptions): NativeTraining
}
