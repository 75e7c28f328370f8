import { mkdir, stat } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { TangentError } from '../core/errors.js'
import { reason } from './reasons.js'

/**
 * Makes a folder and those that it lies in, where they are not there. (Node's own recursive mkdir
 * never ends where a file system says of a new folder that it does not exist, as /proc does.)
 * @throws TangentError FAILED
 */
export async function makeFolder(path: string): Promise<void> {
  const missing: string[] = []
  let at = resolve(path)
  try {
    for (;;) {
      const found = await stat(at).catch(() => undefined)
      if (found?.isDirectory()) break
      if (found) throw Object.assign(new Error(), { code: 'ENOTDIR' })
      missing.push(at)
      if (dirname(at) === at) break
      at = dirname(at)
    }
    for (const folder of missing.reverse()) {
      await mkdir(folder).catch((error: NodeJS.ErrnoException) => {
        // Another process may have made it meanwhile.
        if (error.code !== 'EEXIST') throw error
      })
    }
  } catch (error) {
    throw new TangentError('FAILED', `Cannot make the folder ${path}: ${reason(error)}.`, {
      cause: error,
    })
  }
}
