// The .npy format, versions 1 to 3: numpy.lib.format's documentation. Own reader because npyjs, the
// kept package for it, neither reorders Fortran arrays nor checks sizes, and writes nothing.

import { TangentError } from '../core/errors.js'
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
  type TypedArray,
  toBytes,
} from './ndarray.js'
import { writeFileAtomic } from './write.js'

const magic = '\x93NUMPY'

const letters: Record<string, StoredType> = {
  f2: 'float16',
  f4: 'float32',
  f8: 'float64',
  i1: 'int8',
  i2: 'int16',
  i4: 'int32',
  i8: 'int64',
  u1: 'uint8',
  u2: 'uint16',
  u4: 'uint32',
  u8: 'uint64',
  b1: 'bool',
}

/** True when the bytes begin as a `.npy` file does. */
export function isNpy(bytes: Uint8Array): boolean {
  return bytes.length >= 6 && Buffer.from(bytes.subarray(0, 6)).toString('latin1') === magic
}

/** How the numbers of a `.npy` file lie in it. */
export interface NpyLayout {
  type: StoredType
  bigEndian: boolean
  fortran: boolean
  shape: number[]
}

/** Reads the Python dictionary of the header; only the three keys that the format allows. */
function parseHeader(text: string, name: string): NpyLayout {
  const bad = (why: string) =>
    new TangentError('BAD_FILE', `${name} is not a valid .npy file: ${why}.`)
  const seen = new Map<string, string>()
  const body = /^\{(.*)\}\s*$/s.exec(text.trim())?.[1]
  if (body === undefined) throw bad('its header is not a dictionary')
  const structured = /'descr'\s*:\s*\[/.test(body)
  if (structured) {
    throw new TangentError(
      'BAD_FILE',
      `${name} holds a structured type; save one plain array of numbers per file.`,
    )
  }
  const entry = /\s*(['"])(\w+)\1\s*:\s*('[^'\\]*'|"[^"\\]*"|True|False|\([^()]*\))\s*(?:,|$)/y
  while (entry.lastIndex < body.length) {
    const from = entry.lastIndex
    const match = entry.exec(body)
    if (!match) {
      if (body.slice(from).trim() === '') break
      throw bad('its header cannot be read')
    }
    if (seen.has(match[2]!)) throw bad(`its header names ${match[2]} twice`)
    seen.set(match[2]!, match[3]!)
  }
  const descr = seen.get('descr')
  const order = seen.get('fortran_order')
  const shapeText = seen.get('shape')
  if (seen.size !== 3 || !descr || !order || !shapeText) {
    throw bad('its header must hold descr, fortran_order and shape')
  }
  const [, endian, letter] = /^['"]([<>|=]?)(.*)['"]$/.exec(descr) ?? []
  if (letter?.startsWith('O')) {
    throw new TangentError(
      'BAD_FILE',
      `${name} holds Python objects; save an array of numbers instead.`,
    )
  }
  const type = letter === undefined ? undefined : letters[letter]
  if (!type || !Object.hasOwn(letters, letter!)) {
    throw new TangentError(
      'BAD_FILE',
      `${name} holds entries of type ${descr.slice(1, -1).slice(0, 40)}, but only booleans, integers and floats of 16, 32 or 64 bits can be read.`,
    )
  }
  if (order !== 'True' && order !== 'False') throw bad('fortran_order must be True or False')
  // Python 2 wrote long integers with an L.
  const shapeMatch = /^\(\s*((?:\d+L?\s*,\s*)*(?:\d+L?\s*)?)\)$/.exec(shapeText)
  if (!shapeMatch) throw bad('its shape is not a tuple of whole numbers')
  const shape = (shapeMatch[1]!.match(/\d+/g) ?? []).map(Number)
  if (shape.length > 64) throw bad(`it has ${shape.length} axes, but at most 64 are allowed`)
  return { type, bigEndian: endian === '>', fortran: order === 'True', shape }
}

/** Entries in Fortran order to C order. */
function toCOrder(array: NdArray): NdArray {
  const { data, shape } = array
  const rank = shape.length
  if (rank < 2 || data.length === 0) return array
  const strides = new Array<number>(rank).fill(1)
  for (let k = 1; k < rank; k++) strides[k] = strides[k - 1]! * shape[k - 1]!
  const out = new (data.constructor as new (n: number) => TypedArray)(data.length)
  const index = new Array<number>(rank).fill(0)
  const inner = shape[rank - 1]!
  const step = strides[rank - 1]!
  let from = 0
  for (let at = 0; at < data.length; ) {
    for (let i = 0; i < inner; i++) out[at++] = data[from + i * step]!
    for (let k = rank - 2; k >= 0; k--) {
      from += strides[k]!
      if (++index[k]! < shape[k]!) break
      from -= strides[k]! * shape[k]!
      index[k] = 0
    }
  }
  return { ...array, data: out }
}

const invalid = (name: string, why: string) =>
  new TangentError('BAD_FILE', `${name} is not a valid .npy file: ${why}.`)

/** Bytes that tell how long the header is. */
export const npyPreamble = 12

/**
 * Where the data of a `.npy` file begins.
 * @param bytes its first {@link npyPreamble}, or all of fewer
 */
export function npyDataStart(bytes: Uint8Array, name: string): number {
  if (!isNpy(bytes)) throw invalid(name, 'it does not begin with \\x93NUMPY')
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const version = bytes[6]
  if (version === undefined || version < 1 || version > 3 || bytes[7] !== 0) {
    throw invalid(name, `its version ${version ?? '?'}.${bytes[7] ?? '?'} is unknown`)
  }
  const start = version === 1 ? 10 : 12
  if (bytes.length < start) throw invalid(name, 'it is truncated')
  const length = version === 1 ? view.getUint16(8, true) : view.getUint32(8, true)
  // numpy itself refuses longer ones; a parser should not see megabytes of text.
  if (length > 65536) throw invalid(name, `its header of ${length} bytes is too long`)
  return start + length
}

/**
 * How the numbers of a `.npy` file lie in it.
 * @param head its bytes up to the data
 * @param have bytes of data that are there, where that is known
 */
export function npyLayout(head: Uint8Array, name: string, have?: number): NpyLayout {
  const start = head[6] === 1 ? 10 : 12
  const text = Buffer.from(head.buffer, head.byteOffset + start, head.length - start)
  const header = parseHeader(text.toString(head[6] === 3 ? 'utf8' : 'latin1'), name)
  const count = elementCount(header.shape)
  const shape = `[${header.shape.join(', ')}]`
  if (count === null) throw invalid(name, `its shape ${shape} is too large`)
  const need = count * bytesPerElement(header.type)
  if (have !== undefined && need !== have) {
    throw invalid(name, `its shape ${shape} needs ${need} bytes of data, but ${have} are there`)
  }
  return header
}

/**
 * Decodes the bytes of a `.npy` file into C order; float16 is widened to float32. The result may
 * share memory with `bytes`.
 * @throws TangentError BAD_FILE when the bytes are not a `.npy` file of numbers.
 */
export function decodeNpy(bytes: Uint8Array, name = 'the .npy file'): NdArray {
  const start = npyDataStart(bytes, name)
  if (start > bytes.length) throw invalid(name, 'it is truncated')
  const header = npyLayout(bytes.subarray(0, start), name, bytes.length - start)
  const array = fromBytes(bytes.subarray(start), header.type, header.shape, header)
  if (array.boolean) array.data = (array.data as Uint8Array).map((entry) => (entry === 0 ? 0 : 1))
  return header.fortran ? toCOrder(array) : array
}

/**
 * Reads a `.npy` file. See `decodeNpy`.
 * @throws TangentError `BAD_FILE` when it cannot be read, is no such file or is truncated.
 * @example
 * ```js
 * import { readNpy, writeNpy } from 'adaptive-tangent'
 *
 * await writeNpy('labels.npy', { data: Int32Array.of(3, 1, 4), shape: [3] })
 * const { data } = await readNpy('labels.npy')
 * console.log(data)
 * // Int32Array(3) [ 3, 1, 4 ]
 * ```
 * @since 0.1.0
 */
export async function readNpy(path: string): Promise<NdArray> {
  return decodeNpy(await readBytes(path), path)
}

const descriptions: Record<DType | 'float16', string> = {
  float16: '<f2',
  float32: '<f4',
  float64: '<f8',
  int8: '|i1',
  int16: '<i2',
  int32: '<i4',
  int64: '<i8',
  uint8: '|u1',
  uint16: '<u2',
  uint32: '<u4',
  uint64: '<u8',
  bool: '|b1',
}

/** The header of a `.npy` file (version 1, or 2 where the shape is long), padded to 64 bytes. */
export function npyHeader(type: DType | 'float16', shape: readonly number[]): Uint8Array {
  const tuple = shape.length === 1 ? `(${shape[0]},)` : `(${shape.join(', ')})`
  const text = `{'descr': '${descriptions[type]}', 'fortran_order': False, 'shape': ${tuple}, }`
  const total = Math.ceil((10 + text.length + 1) / 64) * 64
  const header = Buffer.alloc(total, ' ')
  header.write(magic, 'latin1')
  header[6] = 1
  header[7] = 0
  header.writeUInt16LE(total - 10, 8)
  header.write(text, 10, 'latin1')
  header[total - 1] = 0x0a
  return header
}

/** The bytes of a `.npy` file in two parts, the second sharing the array's memory. */
export function encodeNpy(array: NdArray): Uint8Array[] {
  checkArray(array)
  return [npyHeader(dtypeOf(array), array.shape), toBytes(array)]
}

/**
 * Writes a `.npy` file in C order, whole or not at all.
 * @throws TangentError `BAD_ARGUMENT` for what is no array, `FAILED` when it cannot be
 *   written.
 * @example
 * ```js
 * import { writeNpy } from 'adaptive-tangent'
 *
 * await writeNpy('numbers.npy', { data: Float32Array.of(1, 2, 3, 4), shape: [2, 2] })
 * ```
 * @since 0.1.0
 */
export async function writeNpy(
  path: string,
  array: NdArray,
  options: { signal?: AbortSignal } = {},
): Promise<void> {
  checkCall(options)
  await writeFileAtomic(path, encodeNpy(array), options)
}
