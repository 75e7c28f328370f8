import { badArgument, TangentError } from '../core/errors.js'
import { formatBytes } from '../core/memory.js'

/** The typed arrays that hold an array's numbers. */
export type TypedArray =
  | Float32Array
  | Float64Array
  | Int8Array
  | Int16Array
  | Int32Array
  | BigInt64Array
  | Uint8Array
  | Uint16Array
  | Uint32Array
  | BigUint64Array

/** Numbers of either width. */
export type Floats = Float32Array | Float64Array

/** An array in C order: `data.length` is the product of `shape` (1 for the empty shape). */
export interface NdArray<T extends TypedArray = TypedArray> {
  data: T
  shape: number[]
  /** Set on a Uint8Array whose entries are booleans, 0 or 1. */
  boolean?: true
}

/** Names as numpy's, without the byte order. `bool` is held in a Uint8Array. */
export type DType =
  | 'float32'
  | 'float64'
  | 'int8'
  | 'int16'
  | 'int32'
  | 'int64'
  | 'uint8'
  | 'uint16'
  | 'uint32'
  | 'uint64'
  | 'bool'

/** Other types that a file may hold: widened to float32, exactly, when read. */
export type StoredType = DType | 'float16' | 'bfloat16'

type TypedArrayConstructor = {
  new (buffer: ArrayBufferLike, byteOffset: number, length: number): TypedArray
  readonly BYTES_PER_ELEMENT: number
}

const constructors = {
  float32: Float32Array,
  float64: Float64Array,
  int8: Int8Array,
  int16: Int16Array,
  int32: Int32Array,
  int64: BigInt64Array,
  uint8: Uint8Array,
  uint16: Uint16Array,
  uint32: Uint32Array,
  uint64: BigUint64Array,
  bool: Uint8Array,
} satisfies Record<DType, TypedArrayConstructor>

export const dtypes = Object.keys(constructors) as readonly DType[]

/** A typed array of zeros that holds entries of that type. */
export function zeros<T extends DType>(
  type: T,
  length: number,
): InstanceType<(typeof constructors)[T]> {
  return new constructors[type](length) as InstanceType<(typeof constructors)[T]>
}

/** The type of an array's entries. */
export function dtypeOf(array: NdArray): DType {
  if (array.boolean) return 'bool'
  for (const [name, type] of Object.entries(constructors)) {
    if (array.data instanceof (type as unknown as new () => ArrayBufferView)) return name as DType
  }
  throw badArgument('data', 'a typed array', array.data)
}

/** Bytes that one entry takes in a file. */
export function bytesPerElement(type: StoredType): number {
  return type === 'float16' || type === 'bfloat16' ? 2 : constructors[type].BYTES_PER_ELEMENT
}

/**
 * Product of a shape's dimensions, or null where a dimension is not a whole number ≥ 0 or the
 * product (of the dimensions other than 0, too) is beyond the safe integers.
 */
export function elementCount(shape: readonly (number | bigint)[]): number | null {
  let product = 1
  let zero = false
  for (const entry of shape) {
    const dimension = Number(entry)
    if (!Number.isSafeInteger(dimension) || dimension < 0) return null
    if (dimension === 0) zero = true
    else product *= dimension
    if (product > Number.MAX_SAFE_INTEGER) return null
  }
  return zero ? 0 : product
}

/** Throws unless the array is a typed array whose length agrees with its shape. */
export function checkArray(array: NdArray, name = 'array'): void {
  if (!ArrayBuffer.isView(array?.data) || array.data instanceof DataView) {
    throw badArgument(`${name}.data`, 'a typed array', array?.data)
  }
  const count = Array.isArray(array.shape) ? elementCount(array.shape) : null
  if (count === null) throw badArgument(`${name}.shape`, 'a list of whole numbers ≥ 0', array.shape)
  if (count !== array.data.length) {
    throw badArgument(
      `${name}.data`,
      `${count} entries, as the shape [${array.shape.join(', ')}] says,`,
      array.data.length,
    )
  }
}

/** An allocation whose failure is a typed error; `bytes` must have been checked before. */
export function allocate(bytes: number, what: string): ArrayBuffer {
  try {
    return new ArrayBuffer(bytes)
  } catch (cause) {
    throw new TangentError('OUT_OF_MEMORY', `No memory for ${formatBytes(bytes)} of ${what}.`, {
      cause,
    })
  }
}

// The 65,536 values of IEEE 754 half precision, made on first use (exact in float32).
let halves: Float32Array | undefined

function halfTable(): Float32Array {
  if (halves) return halves
  halves = new Float32Array(65536)
  for (let bits = 0; bits < 65536; bits++) {
    const exponent = (bits >> 10) & 31
    const fraction = bits & 1023
    let value: number
    if (exponent === 0) value = fraction * 2 ** -24
    else if (exponent === 31) value = fraction === 0 ? Infinity : NaN
    else value = (1024 + fraction) * 2 ** (exponent - 25)
    halves[bits] = bits & 0x8000 ? -value : value
  }
  return halves
}

/** Widens IEEE half-precision bit patterns to float32, exactly. */
export function fromFloat16(bits: Uint16Array): Float32Array {
  const table = halfTable()
  const out = new Float32Array(bits.length)
  for (let i = 0; i < bits.length; i++) out[i] = table[bits[i]!]!
  return out
}

/** Rounds to IEEE half precision, to nearest (ties to even); what is too large becomes infinite. */
export function toFloat16(values: ArrayLike<number>): Uint16Array {
  return narrowed(values, 10, -14)
}

/** The same to bfloat16. */
export function toBfloat16(values: ArrayLike<number>): Uint16Array {
  return narrowed(values, 7, -126)
}

/** Bit patterns of 16 bits: a sign, an exponent from `least` on, and `fraction` bits behind it. */
function narrowed(values: ArrayLike<number>, fraction: number, least: number): Uint16Array {
  const infinity = 0x7fff & ~((1 << fraction) - 1)
  const out = new Uint16Array(values.length)
  const one = new Float32Array(1)
  const word = new Uint32Array(one.buffer)
  for (let i = 0; i < out.length; i += 1) {
    const value = values[i] as number
    one[0] = value
    const sign = ((word[0] as number) >>> 16) & 0x8000
    if (Number.isNaN(value)) {
      out[i] = infinity | (1 << (fraction - 1))
      continue
    }
    // Below 2^least all numbers have one distance. What float32 rounds up to a power of two is that here, too.
    const exponent = Math.max(least, (((word[0] as number) >>> 23) & 255) - 127)
    const units = Math.abs(value) * 2 ** (fraction - exponent)
    // Adding 2⁵² rounds a double to a whole number, ties to even; a carry goes into the exponent by itself.
    const whole = units + 2 ** 52 - 2 ** 52
    out[i] = sign | Math.min(infinity, (exponent - least) * 2 ** fraction + whole)
  }
  return out
}

/** Widens bfloat16 bit patterns (the upper half of a float32) to float32, exactly. */
export function fromBfloat16(bits: Uint16Array): Float32Array {
  const out = new Float32Array(bits.length)
  const words = new Uint32Array(out.buffer)
  for (let i = 0; i < bits.length; i++) words[i] = bits[i]! << 16
  return out
}

/**
 * Makes an array of `count` entries from little- or big-endian bytes. A view of `bytes` where
 * alignment and byte order allow (so the array shares their memory), a copy otherwise; 16-bit
 * floats become float32. The caller has checked that `bytes` holds exactly `count` entries.
 */
export function fromBytes(
  bytes: Uint8Array,
  type: StoredType,
  shape: number[],
  options: { bigEndian?: boolean; copy?: boolean } = {},
): NdArray {
  const half = type === 'float16' || type === 'bfloat16'
  const View: TypedArrayConstructor = half ? Uint16Array : constructors[type]
  const width = View.BYTES_PER_ELEMENT
  const count = bytes.byteLength / width
  let source = bytes
  const swap = options.bigEndian === true && width > 1
  if (options.copy || swap || bytes.byteOffset % width !== 0) {
    source = new Uint8Array(allocate(bytes.byteLength, 'array data'))
    source.set(bytes)
  }
  if (swap) {
    const buffer = Buffer.from(source.buffer, source.byteOffset, source.byteLength)
    if (width === 2) buffer.swap16()
    else if (width === 4) buffer.swap32()
    else buffer.swap64()
  }
  const data = new View(source.buffer, source.byteOffset, count)
  if (type === 'float16') return { data: fromFloat16(data as Uint16Array), shape }
  if (type === 'bfloat16') return { data: fromBfloat16(data as Uint16Array), shape }
  return type === 'bool' ? { data, shape, boolean: true } : { data, shape }
}

/** The bytes of an array, sharing its memory. */
export function toBytes(array: NdArray): Uint8Array {
  const { buffer, byteOffset, byteLength } = array.data
  return new Uint8Array(buffer, byteOffset, byteLength)
}

/** True for arrays of floating-point numbers. */
export function isFloat(array: NdArray): array is NdArray<Float32Array | Float64Array> {
  return array.data instanceof Float32Array || array.data instanceof Float64Array
}

/** The same numbers as float32, rounded to nearest; the same array where it is float32 already. */
export function toFloat32(array: NdArray, name = 'array'): NdArray<Float32Array> {
  if (array.data instanceof Float32Array) return array as NdArray<Float32Array>
  if (!(array.data instanceof Float64Array)) {
    throw badArgument(name, 'an array of floats', dtypeOf(array))
  }
  return { data: Float32Array.from(array.data), shape: array.shape }
}

/** The same numbers as float64 where `double`, else as float32. */
export function toFloats(array: NdArray, double: boolean, name?: string): NdArray<Floats> {
  return double ? toFloat64(array, name) : toFloat32(array, name)
}

/** The same numbers as float64; the same array where it is float64 already. */
export function toFloat64(array: NdArray, name = 'array'): NdArray<Float64Array> {
  if (array.data instanceof Float64Array) return array as NdArray<Float64Array>
  if (!(array.data instanceof Float32Array)) {
    throw badArgument(name, 'an array of floats', dtypeOf(array))
  }
  return { data: Float64Array.from(array.data), shape: array.shape }
}
