// Files made by numpy, onnx and the safetensors library; see test/data/make_arrays.py.
import { readFile } from 'node:fs/promises'
import test from 'ava'
import { TangentError } from '../../lib/core/errors.js'
import {
  decodeNpy,
  decodeSafetensors,
  decodeTensor,
  dtypeOf,
  encodeNpy,
  encodeSafetensors,
  type NdArray,
} from '../../lib/io/index.js'

interface Contents {
  dtype: string
  shape: number[]
  values: string[]
}
interface Row extends Partial<Contents> {
  name: string
  file: string
  refused?: string
  tensors?: Record<string, Contents>
}

const url = new URL('../../../test/data/arrays.json', import.meta.url)
const rows: Row[] = JSON.parse(await readFile(url, 'utf8'))

/** As Python prints them, so that −0, NaN and the last bit count. */
function text(array: NdArray): string[] {
  return [...array.data].map((value) => {
    if (typeof value === 'bigint') return String(value)
    if (Object.is(value, -0)) return '-0.0'
    return String(value)
  })
}

function numeric(values: string[], dtype: string): string[] {
  if (!dtype.startsWith('float')) return values
  return values.map((value) => {
    if (value === '-0.0') return value
    if (value === 'inf') return 'Infinity'
    if (value === '-inf') return '-Infinity'
    return String(Number(value === 'nan' ? NaN : value))
  })
}

function decode(name: string, bytes: Uint8Array): NdArray {
  return name.endsWith('.npy') ? decodeNpy(bytes, name) : decodeTensor(bytes, name)
}

/** The same bytes at an odd address. */
function unaligned(bytes: Uint8Array): Uint8Array {
  const out = new Uint8Array(bytes.length + 3)
  out.set(bytes, 3)
  return out.subarray(3)
}

for (const { name, file, refused, dtype, shape, values } of rows.filter((row) => !row.tensors)) {
  test(name, (t) => {
    for (const bytes of [Buffer.from(file, 'base64'), unaligned(Buffer.from(file, 'base64'))]) {
      if (refused) {
        const error = t.throws(() => decode(name, bytes), { instanceOf: TangentError })
        t.is(error?.code, 'BAD_FILE')
        t.true(error?.message.includes(refused), error?.message)
        continue
      }
      const array = decode(name, bytes)
      t.is(dtypeOf(array), dtype as string as ReturnType<typeof dtypeOf>)
      t.deepEqual(array.shape, shape)
      t.deepEqual(text(array), numeric(values!, dtype!))
      const again = decodeNpy(Buffer.concat(encodeNpy(array)))
      t.is(dtypeOf(again), dtypeOf(array))
      t.deepEqual(again.shape, array.shape)
      t.deepEqual(text(again), text(array))
    }
  })
}

test('safetensors of every type', (t) => {
  for (const { name, file, tensors } of rows.filter((row) => row.tensors)) {
    const read = decodeSafetensors(Buffer.from(file, 'base64'), name)
    t.deepEqual(read.metadata, { format: 'np', note: 'ü' })
    t.deepEqual([...read.tensors.keys()].sort(), Object.keys(tensors!).sort())
    const bytes = Buffer.concat(encodeSafetensors(read.tensors, read.metadata))
    for (const set of [read, decodeSafetensors(unaligned(bytes))]) {
      for (const [key, { dtype, shape, values }] of Object.entries(tensors!)) {
        const array = set.tensors.get(key)!
        t.is(dtypeOf(array), dtype as string as ReturnType<typeof dtypeOf>)
        t.deepEqual(array.shape, shape)
        t.deepEqual(text(array), numeric(values, dtype))
      }
    }
  }
})
