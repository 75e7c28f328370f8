// Landmarks of Nyström features in a store: their kernel is written once, and every worker takes that.
import { badArgument, TangentError } from '../core/errors.js'
import { formatBytes } from '../core/memory.js'
import { identify } from '../io/identify.js'
import type { Floats } from '../io/index.js'
import { fromBytes } from '../io/ndarray.js'
import type { KnownLandmarks } from '../kernels/landmark-tiles.js'
import { ntk } from '../kernels/ntk.js'
import { LandmarkRoot, type Landmarks, landmarksOf } from '../kernels/nystrom.js'
import type { Core } from '../model/core.js'
import type { Inputs } from '../model/inputs.js'
import { coreOf } from '../network/job.js'
import type { Network } from '../network/network.js'
import type { PlainRequest } from './calls.js'
import { crc32c } from './crc32c.js'
import type { Samples } from './samples.js'
import type { Storage } from './storage.js'

/** The file's name in a store: float64, little-endian, the digest of the samples, a checksum. */
const key = 'landmarks/kernel'
const digestBytes = 64
const checksumBytes = 4
/** Matrices of the kernel's size that its eigenvectors take. */
const matrices = 4

interface How {
  threads: number
  memory: number
  signal?: AbortSignal | undefined
}

/** Their samples, and the kernel among them, (M · O)². */
interface LandmarkKernel {
  at: Inputs
  count: number
  /** Of the samples. */
  digest: string
  data: Float64Array
}

/** What a worker knows of its store's landmarks. */
export interface OwnLandmarks {
  kernel?: LandmarkKernel
  known?: { of: Float64Array; landmarks: KnownLandmarks }
}

interface Hands {
  network: Network<Floats>
  x: Samples
  own: OwnLandmarks
}

/** Of requests that have any. @param storage of the store, once there is one. */
export async function landmarksIn(
  { network, x, own }: Hands,
  request: PlainRequest,
  how: How,
  storage?: Storage,
): Promise<KnownLandmarks | undefined> {
  if (request.kind !== 'nystrom') return undefined
  own.kernel ??= await landmarkKernel(coreOf(network), x, request, how)
  const { data, ...rest } = storage ? await storedKernel(storage, own.kernel) : own.kernel
  if (own.known && Buffer.from(own.known.of.buffer).equals(Buffer.from(data.buffer))) {
    return own.known.landmarks
  }
  const landmarks = await knownLandmarks({ data, ...rest }, how)
  own.known = { of: data, landmarks }
  return landmarks
}

async function landmarkKernel(
  core: Core,
  x: Samples,
  { landmarks, seed, outputs, nonFinite }: PlainRequest,
  { threads, memory, signal }: How,
): Promise<LandmarkKernel> {
  const chosen = landmarksOf(landmarks as Landmarks, x.length, seed as number)
  const at = await x.picked(chosen)
  const call = { outputs, nonFinite, threads, memory, signal } as Parameters<typeof ntk>[3]
  const kernel = (await ntk(core, at, undefined, call)).get('total')
  if (!kernel) throw badArgument('network', 'a network with parameters', core)
  const bytes = matrices * 8 * kernel.data.length
  if (bytes > memory) {
    throw new TangentError(
      'MEMORY_BUDGET',
      `The root of the kernel of ${chosen.length} landmarks takes ${formatBytes(bytes)} but the memory budget leaves ${formatBytes(memory)}; take fewer landmarks or outputs, or raise the budget`,
    )
  }
  const digest = await identify({ ...(at as object) })
  return { at, count: chosen.length, digest, data: Float64Array.from(kernel.data) }
}

/** The same with the kernel that is in the store: the first worker's. */
async function storedKernel(storage: Storage, own: LandmarkKernel): Promise<LandmarkKernel> {
  let bytes = await storage.read(key)
  if (!bytes) {
    await storage.create(key, encoded(own))
    bytes = await storage.read(key)
  }
  const size = 8 * own.data.length
  const sound =
    bytes?.length === size + digestBytes + checksumBytes &&
    crc32c(bytes.subarray(0, -checksumBytes)).every((b, k) => b === bytes?.at(k - checksumBytes))
  if (!bytes || !sound) {
    throw new TangentError(
      'BAD_FILE',
      `Expected the kernel of the landmarks in ${storage.name}/${key} but it is damaged; begin another store`,
    )
  }
  if (Buffer.from(bytes.subarray(size, size + digestBytes)).toString('latin1') !== own.digest) {
    throw new TangentError(
      'BAD_INPUT',
      'Expected the samples that the store was made for but its landmarks are others',
    )
  }
  const { data } = fromBytes(bytes.slice(0, size), 'float64', [own.data.length])
  return { ...own, data: data as Float64Array }
}

function encoded({ data, digest }: LandmarkKernel): Uint8Array {
  const numbers = new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
  const bytes = Buffer.concat([numbers, Buffer.from(digest, 'latin1')])
  return Buffer.concat([bytes, crc32c(bytes)])
}

async function knownLandmarks(
  { at, count, data, digest }: LandmarkKernel,
  { threads, signal }: Pick<How, 'threads' | 'signal'>,
): Promise<KnownLandmarks> {
  const side = Math.sqrt(data.length)
  const root = await LandmarkRoot.of({ data, shape: [side, side] }, { threads, signal })
  return { at, count, root, digest }
}
