// The whole typed boundary to the addon. Everything native is declared in this folder and nowhere else.
import { lazily } from '../core/lazily.js'
import { loadBinary } from './binary.js'
import type { NativeEngine, NativeGraph } from './engine.js'
import type { NativeSolve } from './fit.js'
import type { NativeMeasures } from './measures.js'

export type * from './counts.js'
export type * from './engine.js'
export type * from './fit.js'
export type * from './frame.js'

/** A card as it is found, with what it can do at most: FLOP/s and bytes/s, 0 where that is not known. */
export interface NativeCard {
  name: string
  what: string
  memory: number
  /** '': it works. */
  whyNot: string
  float32: number
  float64: number
  bandwidth: number
}

export interface NativeAddon extends NativeSolve, NativeMeasures {
  /** Name, version and chosen kernel of the BLAS in use. */
  readonly blas: string
  /** Whether its products of small integers are right. */
  readonly exact: boolean
  /** Tells one loaded library from another: ids of shared memory mean something only within one. */
  readonly instance: string
  /** Operators that have a rule: 'Relu', 'com.microsoft::Gelu', … */
  readonly operators: string[]
  /** Those of them that have code for devices. */
  readonly deviceOperators: string[]
  /** Those of these that have it for passes forward, too. */
  /**
   * A block of uninitialised memory as an ArrayBuffer of this thread and an id by which the addon finds
   * the same block from any other thread. It lives until both the buffer is collected and
   * `releaseShared(id)` was called.
   */
  allocateShared(bytes: number): { buffer: ArrayBuffer; id: number }
  /** A block that this thread does not look into. */
  createShared(bytes: number): number
  releaseShared(id: number): void
  /** Releases a block that nobody will read: what it held is lost, its memory returned now. */
  discardShared(id: number): void
  /** Returns a buffer's memory now, not with the next collection; arrays over it are empty then. */
  detach(buffer: ArrayBuffer): void
  /** Uninitialised memory, 64 bytes aligned. */
  lendMemory(bytes: number): ArrayBuffer
  /** Returns such memory now, not with the next collection; arrays over it are empty then. */
  takeMemoryBack(buffer: ArrayBuffer): void
  /** Gives memory that calls left for the next ones back to the system. */
  releaseSpareMemory(): void
  /** A block made elsewhere as an ArrayBuffer of this thread. Attach a block in one thread only. */
  attachShared(id: number, bytes: number): ArrayBuffer
  /** Throws a code'd error when the graph is malformed; refusals are in `analysis`. */
  createEngine(graph: NativeGraph, candidates: number[], output: number): NativeEngine
  /** The same in float64: all arrays of numbers that it takes and gives are Float64Array. */
  createDoubleEngine: NativeAddon['createEngine']
  /**
   * For each value the constant's role that it has wherever a derivative flows to it ('an exponent');
   * '' where it has another use, or none.
   */
  constantRoles(graph: NativeGraph, ids: number[]): string[]
  /** Makes sure of the memory that `threads` threads work in; throws OUT_OF_MEMORY. */
  reserveThreads(threads: number): void
  /** The cards as they are found; one entry that says why where there are none. */
  cards(): NativeCard[]
  /** "CUDA 13.0": what NVIDIA's driver knows; '' where there is none. */
  driver(): string
  /** Throws BAD_ARGUMENT or NO_DEVICE where a device cannot be used. */
  checkDevice(name: string): void
  /** Loads onnxruntime's library, on a thread of its own. */
  loadAhead(path: string): void
  /** Is it loaded just now? */
  loadsAhead(): boolean
  /** Ends the process at once, threads that never end included. */
  exitNow(code: number): void
  /** GFLOP/s of a float32 GEMM of size n³ on `threads` threads, and GB/s of a memory copy. */
  machine(n: number, threads: number): { gemm: number; copy: number }
  /** The same off the JS thread. */
  machineLater(n: number, threads: number): Promise<{ gemm: number; copy: number }>
  /**
   * On one thread each: GFLOP/s of a float64 GEMM of 1024³, seconds of LAPACK's dpotrf of size n, of
   * its dsyevd of size n (0 above 1500), and of dgesdd for each [m, k].
   */
  factorisations(
    n: number,
    shapes: [m: number, k: number][],
  ): { gemm: number; potrf: number; syevd: number; gesdd: number[] }
}

/** Loaded when it is first used: a missing one keeps nobody from importing this package. */
export const native = lazily(() => loadBinary() as NativeAddon)
