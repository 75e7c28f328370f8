import { stat } from 'node:fs/promises'
import { extname } from 'node:path'
import { oneOf, TangentError } from '../core/errors.js'
import { checkCall } from '../core/options.js'
import { readBytes } from './files.js'
import { isNpy } from './npy.js'
import { checkPath } from './reasons.js'
import { type ArraySource, sourceOf } from './source.js'
import { type CsvNumbers, openCsv } from './sources/csv.js'
import { isImages, openImages } from './sources/images.js'
import { openNpy } from './sources/npy.js'
import { openNpz } from './sources/npz.js'
import { openParquet } from './sources/parquet.js'
import { openTensor } from './sources/safetensors.js'
import { isZarr, openZarr } from './sources/zarr.js'
import { decodeTensor } from './tensor.js'

/** How {@link openArray} reads what does not say all of itself. */
export interface OpenOptions {
  /** What the numbers of a CSV file are to be (default: integers where all are written so). */
  numbers?: CsvNumbers
}

/**
 * Opens a file as an array whose rows are read as they are needed: `.npy`, `.npz`, `.safetensors`,
 * `.csv`, `.parquet`, zarr arrays (folders, v2 and v3), folders of images ({@link openImages} with its
 * defaults) and `.pb` (ONNX TensorProto, which is read whole). Of a file with several arrays `#NAME` behind
 * its name tells which; of a CSV or Parquet file the columns, `#a,b`.
 *
 * ```ts
 * const source = await openArray('images.npz#train')
 * const first = await source.rows(0, 64)
 * await source.close?.()
 * ```
 * @throws TangentError BAD_FILE when it is none of these, cannot be read, or is inconsistent;
 *   BAD_ARGUMENT when it holds several arrays and none of them is named.
 * @example
 * ```js
 * import { openArray, writeNpy } from 'adaptive-tangent'
 *
 * await writeNpy('numbers.npy', { data: Float32Array.of(1, 2, 3, 4, 5, 6), shape: [3, 2] })
 * const source = await openArray('numbers.npy')
 * console.log(source.length, (await source.rows(1, 2)).data.join(' '))
 * await source.close?.()
 * // 3 3 4 5 6
 * ```
 * @since 0.2.0
 */
export async function openArray(path: string, options: OpenOptions = {}): Promise<ArraySource> {
  checkPath(path)
  checkCall(options)
  if (options.numbers !== undefined) {
    oneOf(options.numbers, ['integer', 'float'] as const, 'options.numbers')
  }
  const { file, member } = await parts(path)
  const folder = (await stat(file).catch(() => undefined))?.isDirectory()
  if (folder && (await isZarr(file))) return openZarr(file, member)
  const ending = extname(file).toLowerCase()
  switch (ending) {
    case '.npz':
      return openNpz(file, member)
    case '.safetensors':
      return openTensor(file, member)
    case '.parquet':
      return openParquet(file, member)
    case '.csv':
      return openCsv(file, member, options.numbers)
  }
  if (member !== undefined) throw none(path)
  if (ending === '.npy') return openNpy(file)
  if (ending === '.pb') return sourceOf(decodeTensor(await readBytes(file), file))
  if (folder && (await isImages(file))) return openImages(file)
  if (folder) throw new TangentError('BAD_FILE', `${path} is not a file, nor a zarr array.`)
  if (isNpy(await beginning(file))) return openNpy(file)
  throw none(path)
}

/** The file of `FILE#MEMBER`, and what of it; a name with `#` in it that is there is a file's. */
export async function parts(path: string): Promise<{ file: string; member: string | undefined }> {
  const cut = path.lastIndexOf('#')
  const whole = { file: path, member: undefined }
  if (cut <= 0 || (await stat(path).catch(() => undefined))) return whole
  return { file: path.slice(0, cut), member: path.slice(cut + 1) }
}

async function beginning(path: string): Promise<Uint8Array> {
  const found = await stat(path).catch(() => undefined)
  return readBytes(path, { offset: 0, length: Math.min(6, found?.size ?? 6) })
}

const none = (path: string) =>
  new TangentError(
    'BAD_FILE',
    `${path} is not an array: a zarr array, a folder of images or a .npz, .csv, .parquet, .safetensors, .npy or .pb file is expected.`,
  )
