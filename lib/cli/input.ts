import { TangentError } from '../core/errors.js'
import { decodeNpy, decodeTensor, isNpy, type NdArray, readArray } from '../io/index.js'

let taken = false

/** Reads an array from a file, or `-` from standard input: .npy or .pb. */
export async function readGiven(path: string): Promise<NdArray> {
  if (path !== '-') return readArray(path)
  if (taken) {
    throw new TangentError('BAD_ARGUMENT', "Expected '-', standard input, for one array only")
  }
  taken = true
  const chunks: Buffer[] = []
  for await (const chunk of process.stdin) chunks.push(chunk)
  const bytes = Buffer.concat(chunks)
  return isNpy(bytes) ? decodeNpy(bytes, 'standard input') : decodeTensor(bytes, 'standard input')
}
