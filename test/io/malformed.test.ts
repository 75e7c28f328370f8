// Truncated, mutated and lying files: always a typed error or a right answer.
import { readFile } from 'node:fs/promises'
import test, { type ExecutionContext } from 'ava'
import { TangentError } from '../../lib/core/errors.js'
import { decodeNpy, decodeSafetensors, decodeTensor } from '../../lib/io/index.js'

const url = new URL('../../../test/data/arrays.json', import.meta.url)
const rows: { name: string; file: string }[] = JSON.parse(await readFile(url, 'utf8'))

function decode(name: string, bytes: Uint8Array): unknown {
  if (name.endsWith('.npy')) return decodeNpy(bytes, name)
  return name.endsWith('.pb') ? decodeTensor(bytes, name) : decodeSafetensors(bytes, name)
}

/** Decodes, and passes only when the result or the error is of the kind that callers rely on. */
function survives(t: ExecutionContext, name: string, bytes: Uint8Array): boolean {
  try {
    decode(name, bytes)
    return true
  } catch (error) {
    t.true(error instanceof TangentError, `${name}: ${(error as Error).stack}`)
    t.is((error as TangentError).code, 'BAD_FILE')
    t.regex((error as Error).message, /^[^\n]{1,400}\.$/)
    return false
  }
}

test('truncated at every byte', (t) => {
  for (const { name, file } of rows) {
    const bytes = Buffer.from(file, 'base64')
    for (let length = 0; length < bytes.length; length++) {
      const ok = survives(t, name, bytes.subarray(0, length))
      // A protobuf message cut between its fields is a message still: only then may it decode.
      if (!name.endsWith('.pb')) t.false(ok, `${name} cut to ${length}`)
    }
  }
})

test('any byte changed', (t) => {
  for (const { name, file } of rows) {
    const bytes = Buffer.from(file, 'base64')
    for (let at = 0; at < bytes.length; at++) {
      const before = bytes[at]!
      for (const value of [0, 255, before ^ 1, before ^ 128, (before + 7) & 255]) {
        bytes[at] = value
        survives(t, name, bytes)
      }
      bytes[at] = before
    }
  }
})

function npy(dictionary: string, data = 0, version = 1): Buffer {
  const header = Buffer.from(`${dictionary}\n`)
  const head = Buffer.from([0x93, ...Buffer.from('NUMPY'), version, 0, 0, 0])
  head.writeUInt16LE(header.length, 8)
  return Buffer.concat([head, header, Buffer.alloc(data)])
}

const dictionaries: [string, string, RegExp][] = [
  [
    'huge shape',
    `{'descr': '<f4', 'fortran_order': False, 'shape': (4611686018427387904, 4), }`,
    /too large/,
  ],
  [
    'product that overflows',
    `{'descr': '<f4', 'fortran_order': False, 'shape': (4294967296, 4294967296), }`,
    /too large/,
  ],
  [
    'overflow hidden by a zero',
    `{'descr': '<f4', 'fortran_order': False, 'shape': (4294967296, 4294967296, 0), }`,
    /too large/,
  ],
  [
    'more than the file holds',
    `{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000,), }`,
    /needs 8000000000 bytes of data, but 8/,
  ],
  ['negative', `{'descr': '<f4', 'fortran_order': False, 'shape': (-1, 4), }`, /whole numbers/],
  ['fraction', `{'descr': '<f4', 'fortran_order': False, 'shape': (1.5,), }`, /whole numbers/],
  [
    'code for a shape',
    `{'descr': '<f4', 'fortran_order': False, 'shape': __import__('os'), }`,
    /cannot be read/,
  ],
  ['key missing', `{'descr': '<f4', 'shape': (2,), }`, /must hold/],
  [
    'key twice',
    `{'descr': '<f4', 'descr': '<f8', 'fortran_order': False, 'shape': (2,), }`,
    /twice/,
  ],
  [
    'another key',
    `{'descr': '<f4', 'fortran_order': False, 'shape': (2,), 'x': (), }`,
    /must hold/,
  ],
  ['no dictionary', `[1, 2]`, /dictionary/],
  ['order as text', `{'descr': '<f4', 'fortran_order': 'True', 'shape': (2,), }`, /True or False/],
  [
    'prototype as a type',
    `{'descr': '<constructor', 'fortran_order': False, 'shape': (2,), }`,
    /type/,
  ],
  ['65 axes', `{'descr': '<f4', 'fortran_order': False, 'shape': (${'1, '.repeat(65)}), }`, /axes/],
]
for (const [what, dictionary, message] of dictionaries) {
  test(`npy: ${what}`, (t) => {
    t.throws(() => decodeNpy(npy(dictionary, 8)), { instanceOf: TangentError, message })
  })
}

test('npy: what older numpy wrote', (t) => {
  const old = npy(`{'descr': '<f4', 'fortran_order': False, 'shape': (2L,), }`, 8)
  t.deepEqual(decodeNpy(old), { data: new Float32Array(2), shape: [2] })
  t.throws(() => decodeNpy(npy('{}', 0, 4)), { message: /version 4\.0/ })
})

test('npy: a header that would take a regular expression forever is refused', (t) => {
  for (const text of [
    `{${"'a': ".repeat(10_000)}}`,
    `{'shape': (${'1,'.repeat(30_000)}}`,
    `{${' '.repeat(60_000)}`,
  ]) {
    t.throws(() => decodeNpy(npy(text)), { instanceOf: TangentError })
  }
})

function safetensors(header: unknown, data = 0, length?: bigint): Buffer {
  const text = Buffer.from(typeof header === 'string' ? header : JSON.stringify(header))
  const head = Buffer.alloc(8)
  head.writeBigUInt64LE(length ?? BigInt(text.length))
  return Buffer.concat([head, text, Buffer.alloc(data)])
}
const f32 = (shape: unknown, from: unknown, to: unknown) => ({
  dtype: 'F32',
  shape,
  data_offsets: [from, to],
})

const headers: [string, Buffer, RegExp][] = [
  ['overlap', safetensors({ a: f32([2], 0, 8), b: f32([2], 4, 12) }, 12), /overlaps/],
  ['hole', safetensors({ a: f32([2], 0, 8), b: f32([1], 12, 16) }, 16), /hole/],
  ['past the end', safetensors({ a: f32([2], 0, 8) }, 4), /take 8 bytes, but 4/],
  ['unused end', safetensors({ a: f32([2], 0, 8) }, 9), /take 8 bytes, but 9/],
  ['size against shape', safetensors({ a: f32([3], 0, 8) }, 8), /needs 12 bytes/],
  ['backwards', safetensors({ a: f32([2], 8, 0) }, 8), /span -8/],
  ['fraction', safetensors({ a: f32([2], 0.5, 8.5) }, 9), /offsets/],
  ['negative', safetensors({ a: f32([2], -8, 0) }, 8), /offsets/],
  ['huge', safetensors({ a: f32([2 ** 40, 2 ** 40], 0, 8) }, 8), /impossible shape/],
  ['shape of text', safetensors({ a: f32(['2'], 0, 8) }, 8), /shape/],
  ['unknown type', safetensors({ a: { ...f32([2], 0, 8), dtype: 'F8_E4M3' } }, 8), /F8_E4M3/],
  ['no JSON', safetensors('{"a": '), /not JSON/],
  ['a list', safetensors('[]'), /JSON object/],
  ['null', safetensors('{"a": null}'), /type/],
  ['metadata of numbers', safetensors('{"__metadata__": {"a": 1}}'), /metadata/],
  ['long header', safetensors('{}', 0, 2n ** 63n), /too long/],
  ['header past the end', safetensors('{}', 0, 3n), /truncated/],
  ['bytes that are no text', Buffer.from([2, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xfe]), /not JSON/],
]
for (const [what, bytes, message] of headers) {
  test(`safetensors: ${what}`, (t) => {
    t.throws(() => decodeSafetensors(bytes), { instanceOf: TangentError, message })
  })
}

test('safetensors: names that objects treat specially', (t) => {
  const text =
    '{"__proto__": {"dtype":"F32","shape":[1],"data_offsets":[0,4]}, "7": {"dtype":"F32","shape":[1],"data_offsets":[4,8]}}'
  t.deepEqual([...decodeSafetensors(safetensors(text, 8)).tensors.keys()], ['__proto__', '7'])
})
