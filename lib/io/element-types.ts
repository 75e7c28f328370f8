// ONNX's element types by number (TensorProto.DataType), without the messages' schema: threads that only
// run networks do without it, since it takes tens of milliseconds to set up.
import type { StoredType } from './ndarray.js'

/** As ONNX writes them, by number. */
export const elementTypeNames: readonly string[] =
  'UNDEFINED FLOAT UINT8 INT8 UINT16 INT16 INT32 INT64 STRING BOOL FLOAT16 DOUBLE UINT32 UINT64 COMPLEX64 COMPLEX128 BFLOAT16 FLOAT8E4M3FN FLOAT8E4M3FNUZ FLOAT8E5M2 FLOAT8E5M2FNUZ UINT4 INT4 FLOAT4E2M1 FLOAT8E8M0 UINT2 INT2'.split(
    ' ',
  )

/** Those that are plain numbers here. */
const stored: Readonly<Record<string, StoredType>> = {
  FLOAT: 'float32',
  UINT8: 'uint8',
  INT8: 'int8',
  UINT16: 'uint16',
  INT16: 'int16',
  INT32: 'int32',
  INT64: 'int64',
  BOOL: 'bool',
  FLOAT16: 'float16',
  DOUBLE: 'float64',
  UINT32: 'uint32',
  UINT64: 'uint64',
  BFLOAT16: 'bfloat16',
}

/** 'float32', 'int64', …, or null for strings, complex numbers and types of 8 bits and less. */
export function tensorType(dataType: number): StoredType | null {
  return stored[elementTypeNames[dataType] ?? ''] ?? null
}

/** The same, of other types as ONNX writes them in small letters: 'string', 'int4', … */
export function anyTensorType(dataType: number): string {
  return tensorType(dataType) ?? tensorTypeName(dataType).toLowerCase()
}

/** The element type's name as ONNX writes it, for messages. */
export function tensorTypeName(dataType: number): string {
  return elementTypeNames[dataType] ?? `type ${dataType}`
}
