// Rows that come one after another: a pipe, a compressed member. To go back is to begin again.

import { TangentError } from '../../core/errors.js'
import { shapeSize } from '../../core/shape.js'
import { allocate, bytesPerElement } from '../ndarray.js'
import { type ArraySource, checkRows } from '../source.js'
import { dtypeRead, type FileLayout, fromStored } from './stored.js'

/** Bytes in order, any number at a time. */
export class ByteReader {
  readonly #iterator: AsyncIterator<Uint8Array>
  #rest: Uint8Array = new Uint8Array(0)

  constructor(chunks: AsyncIterable<Uint8Array>) {
    this.#iterator = chunks[Symbol.asyncIterator]()
  }

  /** At most `length` bytes, fewer only at the end. */
  async take(length: number, what: string): Promise<Uint8Array> {
    const bytes = new Uint8Array(allocate(length, what))
    let at = 0
    while (at < length) {
      if (this.#rest.length === 0 && !(await this.#more())) return bytes.subarray(0, at)
      const part = this.#rest.subarray(0, length - at)
      bytes.set(part, at)
      at += part.length
      this.#rest = this.#rest.subarray(part.length)
    }
    return bytes
  }

  /** @returns how many bytes were there to be left out. */
  async skip(length: number): Promise<number> {
    let left = length
    while (left > 0) {
      if (this.#rest.length === 0 && !(await this.#more())) break
      const part = Math.min(left, this.#rest.length)
      this.#rest = this.#rest.subarray(part)
      left -= part
    }
    return length - left
  }

  async close(): Promise<void> {
    await this.#iterator.return?.()
  }

  async #more(): Promise<boolean> {
    const { done, value } = await this.#iterator.next()
    if (done) return false
    this.#rest = value
    return true
  }
}

/**
 * @param begin a reader at the first row
 * @param again whether it may be asked for twice
 */
export function sequentialSource(
  begin: () => Promise<ByteReader>,
  layout: FileLayout,
  { name, again }: { name: string; again: boolean },
): ArraySource {
  const { type, shape } = layout
  const [length = 1, ...rest] = shape
  const bytes = bytesPerElement(type) * shapeSize(rest)
  let reader: ByteReader | undefined
  let at = 0
  let last: Promise<unknown> = Promise.resolve()
  const ended = () => new TangentError('BAD_FILE', `${name} ended before its rows did.`)

  async function rows(first: number, count: number) {
    if (reader && first < at) {
      if (!again) {
        throw new TangentError('FAILED', `${name} can be read once only, from its beginning on.`)
      }
      await reader.close()
      reader = undefined
    }
    if (!reader) {
      reader = await begin()
      at = 0
    }
    const before = (first - at) * bytes
    if ((await reader.skip(before)) < before) throw ended()
    const taken = await reader.take(count * bytes, name)
    if (taken.length < count * bytes) throw ended()
    at = first + count
    if (at === length && (await reader.skip(1)) > 0) {
      throw new TangentError('BAD_FILE', `${name} goes on behind its last row.`)
    }
    return fromStored(taken, layout, shape.length === 0 ? [] : [count, ...rest])
  }
  const source: ArraySource = {
    length,
    shape,
    dtype: dtypeRead(type),
    inOrder: true,
    rows(first, count) {
      checkRows(source, first, count)
      // One at a time: they share the place.
      const result = last.then(() => rows(first, count))
      last = result.catch(() => {})
      return result
    },
    close: async () => {
      await reader?.close()
    },
  }
  return source
}
