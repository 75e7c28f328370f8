// The one digest of this package: of networks, weights, inputs, options and jobs.
import { createHash } from 'node:crypto'

/** Bytes between two looks at the event loop. */
const pieceBytes = 1 << 22

/**
 * SHA-256 of plain data, in hexadecimal: numbers, texts, lists, objects and Maps (by their names, in
 * order; what is undefined does not count) and typed arrays by type and bytes. Large arrays let the event
 * loop breathe.
 */
export async function identify(value: unknown): Promise<string> {
  const hash = createHash('sha256')
  for await (const piece of pieces(value)) {
    hash.update(piece)
    if (piece.length >= pieceBytes) await new Promise((resolve) => setImmediate(resolve))
  }
  return hash.digest('hex')
}

/** Numbers of a typed array that come block by block: they count as if they were there. */
export class NumbersInOrder {
  constructor(
    readonly kind: string,
    readonly bytes: number,
    readonly blocks: () => AsyncIterable<ArrayBufferView>,
  ) {}
}

async function* pieces(value: unknown): AsyncGenerator<string | Uint8Array> {
  if (value instanceof NumbersInOrder) {
    yield `${value.kind}(${value.bytes})`
    for await (const { buffer, byteOffset, byteLength } of value.blocks()) {
      yield new Uint8Array(buffer, byteOffset, byteLength)
    }
  } else if (ArrayBuffer.isView(value)) {
    yield `${value.constructor.name}(${value.byteLength})`
    const bytes = new Uint8Array(value.buffer, value.byteOffset, value.byteLength)
    for (let at = 0; at < bytes.length; at += pieceBytes) yield bytes.subarray(at, at + pieceBytes)
  } else if (Array.isArray(value)) {
    yield '['
    for (const one of value) {
      yield* pieces(one)
      yield ','
    }
    yield ']'
  } else if (typeof value === 'object' && value !== null) {
    yield '{'
    const entries = value instanceof Map ? [...value] : Object.entries(value)
    for (const [name, one] of entries.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))) {
      if (one === undefined) continue
      yield `${JSON.stringify(name)}:`
      yield* pieces(one)
      yield ','
    }
    yield '}'
  } else if (typeof value === 'string') {
    yield JSON.stringify(value)
  } else {
    // NaN, infinities and 64-bit integers have no JSON.
    yield `${String(value)}${typeof value === 'bigint' ? 'n' : ''}`
  }
}
