// Are the places that a command will write to there, before its long work begins?
import { constants } from 'node:fs'
import { access, stat } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { TangentError } from '../errors.js'

/** Throws unless the folder is there, or can be made, and may be written to. */
export async function checkFolder(path: string, option: string): Promise<void> {
  let place = resolve(path)
  for (;;) {
    const found = await stat(place).catch(() => undefined)
    if (found && !found.isDirectory()) {
      throw refused(`Expected a folder for ${option} but ${place} is a file`)
    }
    if (found) break
    place = dirname(place)
  }
  const allowed = await access(place, constants.W_OK | constants.X_OK).then(
    () => true,
    () => false,
  )
  if (!allowed) throw refused(`Cannot write to ${place} for ${option}: permission denied`)
}

/** The same for a file that will be written there; nothing to check without one. */
export async function checkFile(path: string | undefined, option: string): Promise<void> {
  if (path === undefined) return
  const found = await stat(path).catch(() => undefined)
  if (found?.isDirectory()) throw refused(`Expected a file for ${option} but ${path} is a folder`)
  await checkFolder(dirname(path), option)
}

const refused = (message: string) => new TangentError('BAD_ARGUMENT', message)
