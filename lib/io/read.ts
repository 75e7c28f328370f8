import { extname } from 'node:path'
import { TangentError } from '../core/errors.js'
import { readBytes } from './files.js'
import type { NdArray } from './ndarray.js'
import { decodeNpy, isNpy } from './npy.js'
import { decodeTensor } from './tensor.js'

/**
 * Reads one array from a `.npy` file or an ONNX TensorProto (`.pb`), told by its first bytes and,
 * failing that, by its extension.
 * @throws TangentError BAD_FILE when the file is neither, cannot be read, or is inconsistent.
 */
export async function readArray(path: string): Promise<NdArray> {
  const bytes = await readBytes(path)
  const extension = extname(path).toLowerCase()
  if (isNpy(bytes) || extension === '.npy') return decodeNpy(bytes, path)
  if (extension === '.pb') return decodeTensor(bytes, path)
  throw new TangentError('BAD_FILE', `${path} is not an array: a .npy or .pb file is expected.`)
}
