// The .safetensors format: eight bytes of header length, a JSON header, then the data, tensors back
// to back. Own code: npm has only readers tied to a hub or a runtime, none that checks and writes.

import { badArgument, TangentError } from '../core/errors.js'
import { checkCall } from '../core/options.js'
import { readBytes } from './files.js'
import {
  bytesPerElement,
  checkArray,
  type DType,
  dtypeOf,
  elementCount,
  fromBytes,
  type NdArray,
  type StoredType,
  toBytes,
} from './ndarray.js'
import { writeFileAtomic } from './write.js'

const names = new Map<string, StoredType>([
  ['F16', 'float16'],
  ['BF16', 'bfloat16'],
  ['F32', 'float32'],
  ['F64', 'float64'],
  ['I8', 'int8'],
  ['I16', 'int16'],
  ['I32', 'int32'],
  ['I64', 'int64'],
  ['U8', 'uint8'],
  ['U16', 'uint16'],
  ['U32', 'uint32'],
  ['U64', 'uint64'],
  ['BOOL', 'bool'],
])

/** The format's own limit on the header, so that no parser sees more text. */
const headerLimit = 100_000_000

export interface Safetensors {
  /** By name, in the order of the file's data. They share one buffer where alignment allows. */
  tensors: Map<string, NdArray>
  metadata: Record<string, string>
}

/** Where a tensor lies, from the beginning of the file's data. */
export interface TensorEntry {
  name: string
  type: StoredType
  shape: number[]
  begin: number
  end: number
}

function parseEntry(name: string, value: unknown, bad: (why: string) => TangentError): TensorEntry {
  const { dtype, shape, data_offsets: offsets } = (value ?? {}) as Record<string, unknown>
  const shown = JSON.stringify(name.slice(0, 80))
  const type = typeof dtype === 'string' ? names.get(dtype) : undefined
  if (!type)
    throw bad(`tensor ${shown} has the type ${String(dtype).slice(0, 40)}, which is not read`)
  if (!Array.isArray(shape) || shape.length > 64 || !shape.every((n) => typeof n === 'number')) {
    throw bad(`tensor ${shown} has no valid shape`)
  }
  const count = elementCount(shape)
  if (count === null) throw bad(`tensor ${shown} has the impossible shape [${shape.join(', ')}]`)
  const isOffsets = Array.isArray(offsets) && offsets.length === 2
  if (!isOffsets || !offsets.every((at) => Number.isSafeInteger(at) && at >= 0)) {
    throw bad(`tensor ${shown} has no valid offsets`)
  }
  const [begin, end] = offsets as [number, number]
  const need = count * bytesPerElement(type)
  if (end - begin !== need) {
    throw bad(
      `tensor ${shown} needs ${need} bytes for its shape [${shape.join(', ')}], but its offsets span ${end - begin}`,
    )
  }
  return { name, type, shape, begin, end }
}

const invalid = (name: string) => (why: string) =>
  new TangentError('BAD_FILE', `${name} is not a valid .safetensors file: ${why}.`)

/**
 * Where the data of a `.safetensors` file begins.
 * @param first its first eight bytes, or all of fewer
 */
export function tensorsStart(first: Uint8Array, size: number, name: string): number {
  const bad = invalid(name)
  if (first.length < 8) throw bad('it is truncated')
  const view = new DataView(first.buffer, first.byteOffset, first.byteLength)
  const length = view.getBigUint64(0, true)
  if (length > BigInt(headerLimit)) throw bad(`its header of ${length} bytes is too long`)
  const start = 8 + Number(length)
  if (start > size) throw bad('it is truncated')
  return start
}

/** What the header of a file says: its tensors in the order of their data, back to back. */
export function tensorEntries(
  text: Uint8Array,
  room: number,
  name: string,
): { entries: TensorEntry[]; metadata: Record<string, string> } {
  const bad = invalid(name)
  let header: unknown
  try {
    header = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(text))
  } catch {
    throw bad('its header is not JSON')
  }
  if (typeof header !== 'object' || header === null || Array.isArray(header)) {
    throw bad('its header is not a JSON object')
  }
  const metadata: Record<string, string> = {}
  const entries: TensorEntry[] = []
  for (const [key, value] of Object.entries(header)) {
    if (key !== '__metadata__') {
      entries.push(parseEntry(key, value, bad))
      continue
    }
    if (typeof value !== 'object' || value === null) throw bad('its metadata is not an object')
    for (const [word, text] of Object.entries(value)) {
      if (typeof text !== 'string') throw bad('its metadata holds something other than text')
      Object.defineProperty(metadata, word, { value: text, enumerable: true, writable: true })
    }
  }
  entries.sort((a, b) => a.begin - b.begin || a.end - b.end)
  let at = 0
  for (const entry of entries) {
    if (entry.begin !== at) {
      throw bad(
        `tensor ${JSON.stringify(entry.name.slice(0, 80))} overlaps another or leaves a hole`,
      )
    }
    at = entry.end
  }
  if (at !== room) throw bad(`its tensors take ${at} bytes, but ${room} are there`)
  return { entries, metadata }
}

/**
 * Decodes the bytes of a `.safetensors` file; float16 and bfloat16 are widened to float32.
 * @throws TangentError BAD_FILE for a wrong header, offsets outside the file, holes or overlaps.
 */
export function decodeSafetensors(bytes: Uint8Array, name = 'the .safetensors file'): Safetensors {
  const start = tensorsStart(bytes, bytes.length, name)
  const { entries, metadata } = tensorEntries(bytes.subarray(8, start), bytes.length - start, name)
  const tensors = new Map<string, NdArray>()
  for (const { name, type, shape, begin, end } of entries) {
    tensors.set(name, fromBytes(bytes.subarray(start + begin, start + end), type, shape))
  }
  return { tensors, metadata }
}

/**
 * Reads a `.safetensors` file whole. See `decodeSafetensors`.
 * @throws TangentError `BAD_FILE` when it cannot be read, is no such file or is truncated.
 * @example
 * ```js
 * import { readSafetensors, writeSafetensors } from 'adaptive-tangent'
 *
 * await writeSafetensors(
 *   'weights.safetensors',
 *   new Map([['w', { data: Float32Array.of(1, 2), shape: [2] }]]),
 * )
 * const { tensors } = await readSafetensors('weights.safetensors')
 * console.log(tensors.get('w').data.join(' '))
 * // 1 2
 * ```
 * @since 0.1.0
 */
export async function readSafetensors(path: string): Promise<Safetensors> {
  return decodeSafetensors(await readBytes(path), path)
}

const written = new Map<DType, string>()
for (const [word, type] of names) {
  if (type !== 'float16' && type !== 'bfloat16') written.set(type, word)
}

function checkMetadata(metadata: unknown): void {
  const texts = typeof metadata === 'object' && metadata !== null ? Object.values(metadata) : [0]
  if (texts.every((text) => typeof text === 'string')) return
  throw badArgument('metadata', 'texts by name', metadata)
}

/**
 * The bytes of a `.safetensors` file in parts that share the arrays' memory. Wider types come
 * first, so that every tensor is aligned; otherwise the map's order is kept.
 */
export function encodeSafetensors(
  tensors: ReadonlyMap<string, NdArray>,
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array[] {
  if (!(tensors instanceof Map)) throw badArgument('tensors', 'a Map of arrays', tensors)
  checkMetadata(metadata)
  const sorted = [...tensors].map(([name, array]) => {
    if (name === '__metadata__') throw badArgument('tensors', 'names other than __metadata__', name)
    checkArray(array, name)
    return { name, array, type: dtypeOf(array) }
  })
  sorted.sort((a, b) => bytesPerElement(b.type) - bytesPerElement(a.type))
  const header: [string, unknown][] = []
  if (Object.keys(metadata).length > 0) header.push(['__metadata__', metadata])
  let at = 0
  for (const { name, array, type } of sorted) {
    const end = at + array.data.byteLength
    header.push([name, { dtype: written.get(type), shape: array.shape, data_offsets: [at, end] }])
    at = end
  }
  // Written entry by entry: an object would put whole-number names first and lose `__proto__`.
  const json = header.map(([key, value]) => `${JSON.stringify(key)}:${JSON.stringify(value)}`)
  const text = Buffer.from(`{${json.join(',')}}`)
  const padded = Math.ceil(text.length / 8) * 8
  const head = Buffer.alloc(8 + padded, ' ')
  head.writeBigUInt64LE(BigInt(padded), 0)
  text.copy(head, 8)
  return [head, ...sorted.map(({ array }) => toBytes(array))]
}

/**
 * Writes a `.safetensors` file, whole or not at all.
 * @throws TangentError `BAD_ARGUMENT` for what is no array, `FAILED` when it cannot be
 *   written.
 * @example
 * ```js
 * import { writeSafetensors } from 'adaptive-tangent'
 *
 * const tensors = new Map([['layer.weight', { data: Float32Array.of(1, 2), shape: [1, 2] }]])
 * await writeSafetensors('weights.safetensors', tensors, { metadata: { step: '100' } })
 * ```
 * @since 0.1.0
 */
export async function writeSafetensors(
  path: string,
  tensors: ReadonlyMap<string, NdArray>,
  options: { metadata?: Readonly<Record<string, string>>; signal?: AbortSignal } = {},
): Promise<void> {
  checkCall(options)
  await writeFileAtomic(path, encodeSafetensors(tensors, options.metadata), options)
}
