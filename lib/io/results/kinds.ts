// In which form an array is written: told by the ending of its name.
import { extname } from 'node:path'
import { TangentError } from '../../core/errors.js'

export type ArrayKind = 'npy' | 'npz' | 'csv' | 'zarr'

export const arrayKinds: readonly ArrayKind[] = ['npy', 'npz', 'csv', 'zarr']

/** The form that a name's ending says; undefined for other endings. */
export function kindOfName(path: string): ArrayKind | undefined {
  const ending = extname(path).slice(1).toLowerCase()
  return arrayKinds.find((kind) => kind === ending)
}

/**
 * The form of a file that is to be written.
 * @throws TangentError BAD_ARGUMENT for an ending that says none.
 */
export function arrayKindOf(path: string, name = 'path'): ArrayKind {
  const kind = kindOfName(path)
  if (kind) return kind
  throw new TangentError(
    'BAD_ARGUMENT',
    `Expected a name that ends in .npy, .npz, .csv or .zarr for ${name} but received ${JSON.stringify(path)}`,
  )
}
