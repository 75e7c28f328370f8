import type { NdArray } from './ndarray.js'
import { type OpenOptions, openArray } from './open.js'
import { wholeOf } from './source.js'

/**
 * Reads one array whole, from any file that {@link openArray} opens; a `.npy` file is known by its
 * first bytes, too.
 *
 * ```ts
 * const x = await readArray('x.npy')
 * const y = await readArray('table.csv#label')
 * ```
 * @throws TangentError BAD_FILE when it is no array, cannot be read, or is inconsistent; BAD_ARGUMENT
 *   when it holds several arrays and none of them is named.
 */
export async function readArray(path: string, options: OpenOptions = {}): Promise<NdArray> {
  const source = await openArray(path, options)
  try {
    return await wholeOf(source, path)
  } finally {
    await source.close?.()
  }
}
