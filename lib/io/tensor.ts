import { create, fromBinary, toBinary } from '@bufbuild/protobuf'
import { TangentError } from '../core/errors.js'
import { checkCall } from '../core/options.js'
import {
  TensorProto_DataType as T,
  type TensorProto,
  TensorProto_DataLocation,
  TensorProtoSchema,
} from '../protobuf/index.js'
import { elementTypeNames, tensorType, tensorTypeName } from './element-types.js'
import { readBytes } from './files.js'
import {
  bytesPerElement,
  checkArray,
  type DType,
  dtypeOf,
  elementCount,
  fromBfloat16,
  fromBytes,
  fromFloat16,
  type NdArray,
  type StoredType,
  toBytes,
} from './ndarray.js'
import { writeFileAtomic } from './write.js'

/** Bits per entry of the element types, those that cannot be read as numbers too. */
const bits = new Map<number, number>([
  [T.COMPLEX64, 64],
  [T.COMPLEX128, 128],
  [T.FLOAT8E4M3FN, 8],
  [T.FLOAT8E4M3FNUZ, 8],
  [T.FLOAT8E5M2, 8],
  [T.FLOAT8E5M2FNUZ, 8],
  [T.FLOAT8E8M0, 8],
  [T.UINT4, 4],
  [T.INT4, 4],
  [T.FLOAT4E2M1, 4],
  // Newer than the installed schema: UINT2 and INT2.
  [25, 2],
  [26, 2],
])
for (const [type] of elementTypeNames.entries()) {
  const name = tensorType(type)
  if (name !== null) bits.set(type, 8 * bytesPerElement(name))
}

/**
 * The shape of a tensor, with its declared size checked for overflow.
 * @throws TangentError BAD_FILE for negative dimensions, overflow or an unknown element type.
 */
export function tensorShape(
  tensor: TensorProto,
  where: string,
): { shape: number[]; count: number } {
  const negative = tensor.dims.find((dimension) => dimension < 0n)
  const dims = `[${tensor.dims.slice(0, 16).join(', ')}]`
  if (negative !== undefined) {
    throw new TangentError('BAD_FILE', `${where} has a negative dimension in its shape ${dims}.`)
  }
  const count = elementCount(tensor.dims)
  if (count === null || count > 2 ** 48 || tensor.dims.length > 64) {
    throw new TangentError('BAD_FILE', `${where} has an impossible shape ${dims}.`)
  }
  return { shape: tensor.dims.map(Number), count }
}

/** Bytes that a tensor takes in raw or external form; null for strings. */
export function tensorBytes(tensor: TensorProto, where: string): number | null {
  const { count } = tensorShape(tensor, where)
  if (tensor.dataType === T.STRING) return null
  const width = bits.get(tensor.dataType)
  if (width === undefined) {
    throw new TangentError(
      'BAD_FILE',
      `${where} has an unknown element type (${tensorTypeName(tensor.dataType)}).`,
    )
  }
  return Math.ceil((count * width) / 8)
}

/** The typed field that holds a tensor's entries when `rawData` does not, with entries per number. */
function typedField(tensor: TensorProto): { field: ArrayLike<number | bigint>; per: number } {
  switch (tensor.dataType) {
    case T.FLOAT:
      return { field: tensor.floatData, per: 1 }
    case T.COMPLEX64:
      return { field: tensor.floatData, per: 0.5 }
    case T.DOUBLE:
      return { field: tensor.doubleData, per: 1 }
    case T.COMPLEX128:
      return { field: tensor.doubleData, per: 0.5 }
    case T.INT64:
      return { field: tensor.int64Data, per: 1 }
    case T.UINT32:
    case T.UINT64:
      return { field: tensor.uint64Data, per: 1 }
    default:
      return {
        field: tensor.int32Data,
        per: Math.max(1, Math.floor(8 / bits.get(tensor.dataType)!)),
      }
  }
}

/** True when the entries lie in another file. */
export function isExternal(tensor: TensorProto): boolean {
  return tensor.dataLocation === TensorProto_DataLocation.EXTERNAL
}

/**
 * Checks that a tensor's data agrees in size with its shape; external data apart.
 * @throws TangentError BAD_FILE with one sentence that names the tensor.
 */
export function checkTensor(tensor: TensorProto, where: string): void {
  const bytes = tensorBytes(tensor, where)
  const { count } = tensorShape(tensor, where)
  const disagrees = (need: number, have: number, what: string) =>
    new TangentError(
      'BAD_FILE',
      `${where} needs ${need} ${what} for its shape [${tensor.dims.join(', ')}], but ${have} are there.`,
    )
  if (tensor.segment) {
    throw new TangentError('BAD_FILE', `${where} is stored in segments, which nothing reads.`)
  }
  if (isExternal(tensor)) return
  if (bytes === null) {
    if (tensor.stringData.length !== count) {
      throw disagrees(count, tensor.stringData.length, 'strings')
    }
  } else if (tensor.rawData.length > 0) {
    if (tensor.rawData.length !== bytes) throw disagrees(bytes, tensor.rawData.length, 'bytes')
  } else {
    const { field, per } = typedField(tensor)
    if (field.length !== Math.ceil(count / per)) {
      throw disagrees(Math.ceil(count / per), field.length, 'numbers')
    }
  }
}

function fromTyped(tensor: TensorProto, type: StoredType, count: number): NdArray['data'] {
  const { field } = typedField(tensor)
  // Integers are held by their lowest bits, as a C cast to the type would.
  const words = (width: 8 | 16) => {
    const out = width === 8 ? new Uint8Array(count) : new Uint16Array(count)
    for (let i = 0; i < count; i++) out[i] = Number(field[i])
    return out
  }
  switch (type) {
    case 'float32':
      return Float32Array.from(tensor.floatData)
    case 'float64':
      return Float64Array.from(tensor.doubleData)
    case 'int64':
      return BigInt64Array.from(tensor.int64Data)
    case 'uint64':
      return BigUint64Array.from(tensor.uint64Data)
    case 'uint32':
      return Uint32Array.from(tensor.uint64Data, (value) => Number(BigInt.asUintN(32, value)))
    case 'int32':
      return Int32Array.from(tensor.int32Data)
    case 'int16':
      return new Int16Array(words(16).buffer)
    case 'uint16':
      return words(16)
    case 'int8':
      return new Int8Array(words(8).buffer)
    case 'uint8':
      return words(8)
    case 'bool':
      return Uint8Array.from(tensor.int32Data, (value) => (value === 0 ? 0 : 1))
    case 'float16':
      return fromFloat16(words(16) as Uint16Array)
    case 'bfloat16':
      return fromBfloat16(words(16) as Uint16Array)
  }
}

/**
 * The numbers of a TensorProto whose data lies in it; float16 and bfloat16 are widened to float32.
 * Never shares memory with the message, so that the file's bytes can go.
 * @param external the entries' bytes when the tensor's data lies outside (`isExternal`).
 */
export function tensorToArray(tensor: TensorProto, where: string, external?: Uint8Array): NdArray {
  checkTensor(tensor, where)
  const type = tensorType(tensor.dataType)
  if (type === null) {
    throw new TangentError(
      'BAD_FILE',
      `${where} holds ${tensorTypeName(tensor.dataType)} entries, which cannot be read as numbers.`,
    )
  }
  const { shape, count } = tensorShape(tensor, where)
  const raw = external ?? tensor.rawData
  if (isExternal(tensor) && !external) {
    throw new TangentError(
      'BAD_FILE',
      `${where} keeps its data in another file, which is read for the weights of a model only.`,
    )
  }
  if (external && external.length !== tensorBytes(tensor, where)) {
    throw new TangentError('BAD_FILE', `${where} does not agree in size with its external data.`)
  }
  if (raw.length > 0) {
    const array = fromBytes(raw, type, shape, { copy: true })
    if (array.boolean) array.data = (array.data as Uint8Array).map((entry) => (entry === 0 ? 0 : 1))
    return array
  }
  const data = fromTyped(tensor, type, count)
  return type === 'bool' ? { data, shape, boolean: true } : { data, shape }
}

/**
 * Decodes the bytes of an ONNX TensorProto file (`.pb`).
 * @throws TangentError BAD_FILE when they are none, or their data lies in another file.
 */
export function decodeTensor(bytes: Uint8Array, name = 'the tensor file'): NdArray {
  let tensor: TensorProto
  try {
    tensor = fromBinary(TensorProtoSchema, bytes)
  } catch (cause) {
    throw new TangentError('BAD_FILE', `${name} is not an ONNX tensor, or truncated.`, { cause })
  }
  if (tensor.dataType === T.UNDEFINED || tensor.$unknown?.length) {
    throw new TangentError('BAD_FILE', `${name} is not an ONNX tensor.`)
  }
  return tensorToArray(tensor, name)
}

const dataTypes: Record<DType, number> = {
  float32: T.FLOAT,
  float64: T.DOUBLE,
  int8: T.INT8,
  int16: T.INT16,
  int32: T.INT32,
  int64: T.INT64,
  uint8: T.UINT8,
  uint16: T.UINT16,
  uint32: T.UINT32,
  uint64: T.UINT64,
  bool: T.BOOL,
}

/** ONNX's number for an array's element type. */
export function dataTypeOf(array: NdArray): number {
  return dataTypes[dtypeOf(array)]
}

/** A TensorProto with raw data that shares the array's memory. */
export function arrayToTensor(array: NdArray, name = ''): TensorProto {
  checkArray(array, name || 'array')
  return create(TensorProtoSchema, {
    name,
    dims: array.shape.map(BigInt),
    dataType: dataTypeOf(array),
    rawData: toBytes(array) as Uint8Array<ArrayBuffer>,
  })
}

/**
 * Reads a TensorProto file (`.pb`). See `decodeTensor`.
 * @throws TangentError `BAD_FILE` when it cannot be read, is no such file or is truncated.
 * @example
 * ```js
 * import { readTensor, writeTensor } from 'adaptive-tangent'
 *
 * await writeTensor('x.pb', { data: Float32Array.of(1, 2, 3), shape: [3] })
 * console.log((await readTensor('x.pb')).data.join(' '))
 * // 1 2 3
 * ```
 * @since 0.1.0
 */
export async function readTensor(path: string): Promise<NdArray> {
  return decodeTensor(await readBytes(path), path)
}

/**
 * Writes a TensorProto file (`.pb`), whole or not at all.
 * @throws TangentError `BAD_ARGUMENT` for what is no array, `FAILED` when it cannot be
 *   written.
 * @example
 * ```js
 * import { writeTensor } from 'adaptive-tangent'
 *
 * await writeTensor('x.pb', { data: Float32Array.of(1, 2, 3), shape: [3] }, { name: 'x' })
 * ```
 * @since 0.1.0
 */
export async function writeTensor(
  path: string,
  array: NdArray,
  options: { name?: string; signal?: AbortSignal } = {},
): Promise<void> {
  checkCall(options)
  await writeFileAtomic(
    path,
    toBinary(TensorProtoSchema, arrayToTensor(array, options.name)),
    options,
  )
}
