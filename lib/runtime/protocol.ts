// What the main thread and a worker say to each other.
import type { Floats } from '../io/index.js'
import type { ProductPrecision } from '../native/device.js'
import type { NativeData, NativeDeviceCounts, NativeGraph } from '../native/index.js'
import type { Job } from './jobs/index.js'

/** Everything about an architecture that does not depend on its weights. Sent once. */
export interface WorkerInit {
  /** The model without its weights, which are inputs there. */
  skeleton: Uint8Array
  /** Where external files of the remaining constants lie. */
  folder?: string
  graph: NativeGraph
  /** Inputs that the caller feeds: name, id of the value. */
  inputs: { name: string; id: number }[]
  /** Do the inputs leave sizes other than the batch to the caller? */
  free: boolean
  /** In float64: the skeleton, which is float32, is written out in it by the worker. */
  double: boolean
  /** Names of the graph's own outputs. */
  outputs: string[]
}

/** What a worker gets first. */
export interface WorkerBegin extends WorkerInit {
  /** `native.instance` of the thread that asks. */
  instance: string
}

/** Element types that can cross into onnxruntime and the addon. */
export type FeedType =
  | 'float32'
  | 'float64'
  | 'int64'
  | 'int32'
  | 'int16'
  | 'int8'
  | 'uint8'
  | 'uint16'
  | 'uint32'
  | 'uint64'
  | 'bool'

export interface FeedArray {
  name: string
  type: FeedType
  shape: number[]
  data:
    | NativeData
    | Float64Array
    | Int8Array
    | Int16Array
    | Uint16Array
    | Uint32Array
    | BigUint64Array
  /** The shared block that holds the data, where they are not sent: see shared.ts. */
  block?: number
  /** Reads the numbers of samples [first, first + count), in place of `data`: see rows.ts. */
  read?: (first: number, count: number) => Promise<FeedArray['data']>
  /** What a worker reads them by: functions are not sent. */
  source?: number
  /**
   * Where the samples lie in the file's own value (default 0); null: the value is one sample and has
   * no axis for it. The array here has them first in any case.
   */
  axis?: number | null
}

/** Samples: the first dimension of every array is their number. */
export interface Feed {
  samples: number
  arrays: FeedArray[]
  /** Inputs that all samples share, as the file takes them. */
  shared?: FeedArray[]
}

/** What is differentiated with respect to what. */
export interface PlanMessage {
  candidates: number[]
  output: number
  /** Numbers that the rules read and that lie in the file: constants. */
  statics: { id: number; shape: number[]; data: NativeData }[]
  /** Small constants, which may tell where other numbers go. */
  small: { id: number; numbers: number[] }[]
}

export interface WeightMessage {
  name: string
  id: number
  shape: number[]
  data: Floats
  /** Where the numbers lie, in place of `data`: see shared.ts. */
  block?: { id: number; bytes: number; byteOffset: number; length: number }
}

/** Options of one derivative computation. */
export interface ComputeMessage {
  x: Feed
  x2?: Feed
  outputs: number[]
  threads: number
  /** Samples that the network's file fixes the batch at (made free where several), else 0. */
  batch: number
  memory: number
  block?: number
  outputBlock?: number
  /**
   * Of a product: forward runs are kept for the next request with the same number, until another one
   * comes or the worker rests.
   */
  keep?: number
  /** The blocks of the results and how many floats each holds. */
  results: { id: number; count: number }[]
  /** In place of blocks: results leave tile by tile. */
  tiles?: TilesMessage
  /** Are results that are not finite returned? */
  nonFinite: 'throw' | 'return'
  /** Weights to run with at each node of a job's path, in place of the network's own. */
  path?: PathMessage
  /** Absent: the processor. */
  device?: string
  precision?: ProductPrecision
  job: Job
}

/** Tiles of samples, see lib/io/sink.ts. */
export interface TilesMessage {
  /** Samples a side. */
  size: number
  /** row · columns + column of those that are not wanted. */
  finished: number[]
  /** Numbers of each result for one sample (of rows and one of columns). */
  widths: number[]
}

/** A tile that is finished: the main thread says when it has been written. */
export interface TileMessage {
  row: number
  column: number
  /** One block for each result: the receiver releases them. */
  blocks: number[]
}

/** Samples [first, first + count) of a source, which the worker waits for. */
export interface RowsMessage {
  ticket: number
  source: number
  first: number
  count: number
}

/** Node k lies at (1 − t) · sets[segment] + t · sets[segment + 1]. */
export interface PathMessage {
  sets: WeightMessage[][]
  nodes: { segment: number; t: number }[]
}

export type Request = { id: number; network: number; control: BigInt64Array } & (
  | {
      type: 'run'
      x: Feed
      output: string
      /** Of the output's samples, where the file names it. */
      axis: number | undefined
      threads: number
      batch: number
      /** Samples of a batch that is run as a whole. */
      whole?: number
      /** Are the samples some of more, so that they must not meet? */
      apart?: boolean
      memory: number
    }
  /** Which of several readings of the same inputs does the network run under? */
  | {
      type: 'try'
      readings: { x: Feed; batch: number }[]
      output: string
      threads: number
      memory: number
    }
  | {
      type: 'describe'
      /** The first of them. */
      x: Feed
      threads: number
      batch: number
      whole?: number
      memory: number
      /** Is what a call costs here asked for, too? */
      costs: boolean
    }
  | ({ type: 'compute' } & ComputeMessage)
  | { type: 'open'; output: string; threads: number; memory: number }
  | { type: 'values'; names: readonly string[]; memory: number }
  /** For a part of the package that computes in this worker, too: see `serve`. */
  | { type: 'service'; service: string; message: unknown }
)

export type ToWorker =
  | { type: 'plan'; plan: PlanMessage }
  | { type: 'weights'; network: number; weights: WeightMessage[] }
  | { type: 'forget'; network: number }
  /** Nothing was asked for a while: what was kept for more calls goes. */
  | { type: 'rest' }
  | { type: 'end' }
  /** A tile of request `id` was written, or could not be. */
  | { type: 'written'; id: number; failed: boolean }
  /** Rows that were asked for, or none where they could not be read. */
  | { type: 'rows'; ticket: number; data: FeedArray['data'] | undefined }
  | Request

export interface RunResult {
  data: Float32Array | Float64Array | NativeData
  /** (N, O): outputs of another rank are flattened per sample. */
  shape: number[]
}
export interface ComputeResult {
  methods: string[]
  peakBytes: number
  /** Spent in onnxruntime and the addon. */
  seconds: number
  /** Of these in onnxruntime's runs, whose values the rules read. */
  forward: number
  /** What was asked of the device; null where the processor computed. */
  device: NativeDeviceCounts | null
  /** What the job tells in addition to its results; whoever receives it releases its blocks. */
  report: object[]
}
/** Types and shapes as far as onnxruntime infers them without running anything. */
export interface ValuesResult {
  inferred: Map<string, { type: string; shape: (number | string)[] }>
}
export interface TryResult {
  /** Index of the first reading that works, -1 where none does. */
  found: number
  /** The axis of the output's samples then; null where it takes one sample at a time. */
  axis: number | null
  /** Whether samples of a batch were seen not to meet. */
  apart: boolean
  /** Samples that the file takes at once, where it runs in blocks of so many only. */
  block?: number
}
export interface DescribeResult {
  /** Flat outputs per sample. */
  outputs: number
  /** Numbers of all values of one sample: what a pass over it works on. */
  extent: number
  /** 1 where samples have to be run one by one, else 0. */
  batch: number
  /** The axis of the output that holds the samples, where several are run at once. */
  axis?: number
  /**
   * Where samples are run in blocks of a fixed size, because the file takes no other number or because
   * the whole batch is wanted: the output's shape for a block.
   */
  block?: FixedBlock
  /** Where it was asked for. */
  costs?: Costs
}

/** One weight used as a matrix of rows × columns at so many positions of a sample. */
export interface MatrixLayer {
  rows: number
  columns: number
  positions: number
}

/** What the cost of a call is counted from: its weights, and what the processor does in a second. */
export interface Costs {
  layers: MatrixLayer[]
  /** FLOPs of products, and bytes of memory. */
  rates: { flops: number; bandwidth: number }
}

/** Samples that are run at once, and where the output has them. */
export interface FixedBlock {
  size: number
  axis: number
  dims: readonly number[]
}

/** The answer to a request, after the tiles of its results. */
export type Reply =
  | { id: number; ok: true; result: unknown }
  | { id: number; ok: false; name: string; code: string; message: string }

export type FromWorker =
  | { id: number; tile: TileMessage }
  | { id: number; rows: RowsMessage }
  | Reply
