// Arrays that a command writes, in the form that the name's ending says.
import { dirname, join } from 'node:path'
import { Option } from 'commander'
import { TangentError } from '../core/errors.js'
import {
  type ArrayKind,
  arrayKindOf,
  kindOfName,
  makeFolder,
  type NdArray,
  type RowsHeader,
  writeArray,
  writeArrays,
  writeFileAtomic,
  writeNpy,
  writeRows,
} from '../io/index.js'
import { fileNames } from '../io/names.js'
import { zarrObstacle } from '../io/results/zarr.js'
import { descriptorOf, destinationOf, isReplaced } from '../io/special.js'
import { indexedEarlier, removeEarlier } from './earlier.js'
import { checkFile, checkFolder, outputPath } from './places.js'

/** Forms of one stream of bytes. */
const streams: readonly ArrayKind[] = ['npy', 'npz', 'csv']

export const formatOption = () =>
  new Option(
    '--format <kind>',
    'what standard output or a FIFO gets (default: npy); files go by their names',
  ).choices(streams)

/** `--out` of one array. */
export const arrayOption = (what: string, flags = '--out <file>') =>
  new Option(flags, `${what}: .npy, .npz, .csv or .zarr; - is standard output`)

/** Where an array goes, and in which form. */
export interface ArrayPlace {
  path: string
  kind: ArrayKind
}

/**
 * Where an array is to go, checked before any work.
 * @throws TangentError BAD_ARGUMENT for an ending that says no form, or a place that cannot be written.
 */
export async function arrayPlace(
  given: string,
  option: string,
  format?: ArrayKind,
): Promise<ArrayPlace> {
  const path = outputPath(given)
  const known = kindOfName(path)
  const special = descriptorOf(path) !== undefined || !(await isFile(path))
  if (special && known === undefined) {
    await checkFile(given, option)
    return { path, kind: format ?? 'npy' }
  }
  const kind = arrayKindOf(given, option)
  if (format !== undefined && format !== kind) {
    throw new TangentError(
      'BAD_ARGUMENT',
      `Expected a name that ends in .${format} for ${option} together with --format ${format} but received ${JSON.stringify(given)}`,
    )
  }
  if (kind !== 'zarr') {
    await checkFile(given, option)
    return { path, kind }
  }
  const obstacle = await zarrObstacle(path)
  if (obstacle !== undefined) {
    throw new TangentError('BAD_ARGUMENT', `Expected a new place for ${option} but ${obstacle}`)
  }
  await checkFolder(dirname(path), option)
  return { path, kind }
}

/** Is the place for a file of its own, or is something else there: a pipe, a device, a folder? */
async function isFile(path: string): Promise<boolean> {
  try {
    return isReplaced(await destinationOf(path))
  } catch {
    return true
  }
}

/** Writes one array; its folder is made when it is not there. */
export async function saveArray(
  { path, kind }: ArrayPlace,
  array: NdArray,
  signal: AbortSignal,
): Promise<void> {
  await makeFolder(dirname(path))
  await writeArray(path, array, { kind, signal })
}

/** The same of an array that comes by rows. */
export async function saveRows(
  { path, kind }: ArrayPlace,
  header: RowsHeader,
  blocks: AsyncIterable<NdArray>,
  signal: AbortSignal,
): Promise<void> {
  await makeFolder(dirname(path))
  await writeRows(path, header, blocks, { kind, signal })
}

/** Where several arrays go: a folder of `.npy` files with an index, one `.npz` file or zarr group. */
export interface ArraysPlace {
  path: string
  kind: 'folder' | 'npz' | 'zarr'
}

export const arraysOption = (what: string, flags = '--out <folder>') =>
  new Option(flags, `${what}; or a .npz file or .zarr group with an array for each`)

/** @throws TangentError BAD_ARGUMENT */
export async function arraysPlace(given: string, option: string): Promise<ArraysPlace> {
  const kind = kindOfName(given)
  if (kind === 'npz' || kind === 'zarr') {
    return { path: (await arrayPlace(given, option)).path, kind }
  }
  if (kind !== undefined) {
    throw new TangentError(
      'BAD_ARGUMENT',
      `Expected a folder, or a name that ends in .npz or .zarr, for ${option}, which gets several arrays, but received ${JSON.stringify(given)}`,
    )
  }
  await checkFolder(given, option)
  return { path: given, kind: 'folder' }
}

/** `--out` of a kernel, or of several with `--by`. */
export const kernelOutOption = () =>
  new Option(
    '--out <path>',
    'a .npy, .npz, .csv or .zarr file, - is standard output; with --by a folder, a .npz file or a .zarr group',
  )

/** Where a kernel goes, or its parts. */
export async function kernelPlace(options: {
  out: string
  by: string
  format?: ArrayKind
}): Promise<
  { single: ArrayPlace; several?: undefined } | { single?: undefined; several: ArraysPlace }
> {
  return options.by === 'total'
    ? { single: await arrayPlace(options.out, '--out', options.format) }
    : { several: await arraysPlace(options.out, '--out') }
}

/** Writes arrays as `<name>.npy` into a folder and an index of them last, or all into one file. */
export async function saveArrays(
  { path, kind }: ArraysPlace,
  arrays: ReadonlyMap<string, NdArray>,
  index: string,
  describe: (name: string) => object,
  signal: AbortSignal,
): Promise<void> {
  const files = fileNames([...arrays.keys()])
  if (kind !== 'folder') {
    const named = [...arrays].map(([name, array]): [string, NdArray] => [
      (files.get(name) as string).slice(0, -'.npy'.length),
      array,
    ])
    await makeFolder(dirname(path))
    await writeArrays(path, new Map(named), { kind, signal })
    return
  }
  await makeFolder(path)
  await removeEarlier(path, await indexedEarlier(path, index))
  const entries: object[] = []
  for (const [name, array] of arrays) {
    const file = files.get(name) as string
    await writeNpy(join(path, file), array, { signal })
    entries.push({ name, ...describe(name), file })
  }
  await writeFileAtomic(join(path, index), `${JSON.stringify(entries, null, 2)}\n`, { signal })
}
