// Where a command writes to, and is it possible there? Asked before its long work begins.
import { constants } from 'node:fs'
import { access, mkdtemp, rmdir, stat } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { TangentError } from '../core/errors.js'
import { reason } from '../io/reasons.js'
import { type Destination, descriptorOf, destinationOf, isReplaced } from '../io/special.js'

/** `-` is standard output. */
export function outputPath(path: string): string {
  return path === '-' ? '/dev/stdout' : path
}

export function isStandardOutput(path: string): boolean {
  return descriptorOf(outputPath(path)) === 1
}

/** Throws unless the folder is there, or can be made, and may be written to. */
export async function checkFolder(path: string, option: string): Promise<void> {
  if (path === '-') {
    throw refused(`Expected a folder for ${option} but received '-', which is standard output`)
  }
  let place = resolve(path)
  for (;;) {
    const found = await stat(place).catch(() => undefined)
    if (found && !found.isDirectory()) {
      throw refused(`Expected a folder for ${option} but ${place} is a file`)
    }
    if (found || dirname(place) === place) break
    place = dirname(place)
  }
  try {
    // Permissions do not tell all: nobody can make a folder in /proc.
    await rmdir(await mkdtemp(join(place, '.adaptive-tangent-')))
  } catch (error) {
    throw refused(`Cannot write to ${place} for ${option}: ${reason(error)}`)
  }
}

/** The same for a file that will be written there; nothing to check without one. */
export async function checkFile(path: string | undefined, option: string): Promise<void> {
  if (path === undefined) return
  const { path: place, found, ...rest } = await destination(outputPath(path), option)
  if (found?.isDirectory()) throw refused(`Expected a file for ${option} but ${path} is a folder`)
  if (isReplaced({ path: place, found, ...rest })) await checkFolder(dirname(place), option)
  else if (rest.descriptor === undefined) {
    await access(place, constants.W_OK).catch((error) => {
      throw refused(`Cannot write to ${path} for ${option}: ${reason(error)}`)
    })
  }
}

/** Throws where something else than a regular file is in the way of one that is removed later. */
export async function checkOwnFile(path: string | undefined, option: string): Promise<void> {
  await checkFile(path, option)
  if (path === undefined || isReplaced(await destination(path, option))) return
  throw refused(`Expected a regular file for ${option} but ${path} is none`)
}

async function destination(path: string, option: string): Promise<Destination> {
  try {
    return await destinationOf(path)
  } catch (error) {
    throw refused(`Cannot write to ${path} for ${option}: ${reason(error)}`)
  }
}

const refused = (message: string) => new TangentError('BAD_ARGUMENT', message)
