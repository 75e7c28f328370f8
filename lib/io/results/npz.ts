// `.npz` files: numpy's ZIP of `.npy` files, as numpy.savez writes it, not compressed.

import type { DType } from '../ndarray.js'
import { npyHeader } from '../npy.js'

/** One array of a `.npz` file. */
export interface Member {
  name: string
  dtype: DType
  shape: readonly number[]
  /** Its data in C order. */
  bytes: AsyncIterable<Uint8Array> | Iterable<Uint8Array>
}

/** The bytes of the file as they are made. */
export async function* npzBytes(members: Iterable<Member>): AsyncGenerator<Uint8Array> {
  const { configure, ZipWriter } = await import('@zip.js/zip.js')
  configure({ useWebWorkers: false })
  const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>()
  const zip = new ZipWriter(writable, { level: 0, zip64: true, keepOrder: true })
  const write = async () => {
    for (const { name, dtype, shape, bytes } of members) {
      const all = async function* () {
        yield npyHeader(dtype, shape)
        yield* bytes
      }
      await zip.add(`${name}.npy`, ReadableStream.from(all()), { lastModDate: epoch })
    }
    await zip.close()
  }
  // Whoever reads hears of what fails.
  const writing = write().catch((error: unknown) => writable.abort(error).catch(() => {}))
  const reader = readable.getReader()
  try {
    for (;;) {
      const { done, value } = await reader.read()
      if (done) break
      yield value
    }
  } finally {
    await reader.cancel().catch(() => {})
    await writing
  }
}

/** The same arrays are the same bytes, whenever they are written. */
const epoch = new Date(1980, 0, 1)
