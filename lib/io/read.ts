import type { NdArray } from './ndarray.js'
import { readNpy } from './npy.js'
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
 * @throws TangentError BAD_FILE when it is no array, cannot be read, or is inconsistent;
 *   BAD_ARGUMENT
 *   when it holds several arrays and none of them is named.
 * @example
 * ```js
 * import { readArray, writeNpy } from 'adaptive-tangent'
 *
 * await writeNpy('numbers.npy', { data: Float32Array.of(1, 2, 3, 4, 5, 6), shape: [2, 3] })
 * const { data, shape } = await readArray('numbers.npy')
 * console.log(shape.join(' × '), data.join(' '))
 * // 2 × 3 1 2 3 4 5 6
 * ```
 * @since 0.1.0
 */
export async function readArray(path: string, options: OpenOptions = {}): Promise<NdArray> {
  // At once, which is faster than by blocks.
  if (typeof path === 'string' && path.endsWith('.npy')) return readNpy(path)
  const source = await openArray(path, options)
  try {
    return await wholeOf(source, path)
  } finally {
    await source.close?.()
  }
}
