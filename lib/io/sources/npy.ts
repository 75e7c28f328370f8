import { TangentError } from '../../core/errors.js'
import { decodeNpy, npyDataStart, npyLayout, npyPreamble } from '../npy.js'
import { type ArraySource, sourceOf } from '../source.js'
import { ByteReader, sequentialSource } from './sequential.js'
import { opened, storedSource } from './stored.js'

/** Arrays in Fortran order up to this size are read whole: row by row takes many small reads. */
export const atOnce = 1 << 28

const truncated = (name: string) =>
  new TangentError('BAD_FILE', `${name} is not a valid .npy file: it is truncated.`)

/** A `.npy` file, read where its rows lie. */
export function openNpy(path: string): Promise<ArraySource> {
  return opened(path, async (file) => {
    const start = npyDataStart(await file.read(0, Math.min(npyPreamble, file.size)), path)
    if (start > file.size) throw truncated(path)
    const layout = npyLayout(await file.read(0, start), path, file.size - start)
    if (layout.fortran && layout.shape.length > 1 && file.size <= atOnce) {
      const array = decodeNpy(await file.read(0, file.size), path)
      await file.close()
      return sourceOf(array)
    }
    return storedSource(file, start, layout)
  })
}

/** Reads the header of a `.npy` file that comes as bytes in order. */
export async function npyHeaderOf(reader: ByteReader, name: string) {
  const first = await reader.take(npyPreamble, name)
  const start = npyDataStart(first, name)
  const more = await reader.take(Math.max(0, start - npyPreamble), name)
  const head = new Uint8Array(start)
  head.set(first.subarray(0, start))
  head.set(more, npyPreamble)
  if (first.length + more.length < start) throw truncated(name)
  return npyLayout(head, name)
}

/** A `.npy` file that comes through a pipe: its rows once, in order. */
export async function streamedNpy(
  chunks: AsyncIterable<Uint8Array>,
  name: string,
): Promise<ArraySource> {
  const reader = new ByteReader(chunks)
  const layout = await npyHeaderOf(reader, name)
  if (layout.fortran && layout.shape.length > 1) {
    throw new TangentError(
      'BAD_FILE',
      `${name} is in Fortran order, whose rows are complete at its end only; write it in C order (numpy.ascontiguousarray).`,
    )
  }
  return sequentialSource(async () => reader, layout, { name, again: false })
}
