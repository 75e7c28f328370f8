// Names of temporary files, and what becomes of them when a process does not live to remove its own.
import { createHash, randomBytes } from 'node:crypto'
import { readFileSync, readlinkSync, rmSync } from 'node:fs'
import { readdir, rm, stat } from 'node:fs/promises'
import { hostname } from 'node:os'
import { dirname, join } from 'node:path'

const prefix = '.adaptive-tangent-'
const pattern = /^\.adaptive-tangent-([0-9a-f]{8})-(\d+)-(\d+)-[0-9a-f]{12}\.tmp$/
/** Of another machine or container nothing is known but the time of the last write, here in hours. */
const foreignHours = 24

function orNothing(read: () => string): string {
  try {
    return read()
  } catch {
    return ''
  }
}

/** Where process numbers mean the same as here: this machine since it was started, this container. */
const place = createHash('sha256')
  .update(hostname())
  .update(orNothing(() => readFileSync('/proc/sys/kernel/random/boot_id', 'latin1')))
  .update(orNothing(() => readlinkSync('/proc/self/ns/pid')))
  .digest('hex')
  .slice(0, 8)

/** When a process began, by Linux's clock; '0' elsewhere. Its number may be given to another one. */
function beginningOf(pid: number): string {
  const stat = orNothing(() => readFileSync(`/proc/${pid}/stat`, 'latin1'))
  // The second field is the program's name, which may hold anything.
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '0'
}

const unfinished = new Set<string>()
/** Folders whose left-over files are gone. */
const cleared = new Set<string>()

/** A name for a file that is to become `target`: short, whatever the name of the target. */
export function temporaryFor(target: string): string {
  const own = `${place}-${process.pid}-${beginningOf(process.pid)}`
  const path = join(dirname(target), `${prefix}${own}-${randomBytes(6).toString('hex')}.tmp`)
  if (unfinished.size === 0) process.once('exit', removeUnfinished)
  unfinished.add(path)
  return path
}

/** Is it the name of a file that is not finished yet? */
export const isTemporary = (name: string): boolean => pattern.test(name)

/** A file of `temporaryFor` has its own name now, or is gone. */
export function settled(path: string): void {
  unfinished.delete(path)
  if (unfinished.size === 0) process.removeListener('exit', removeUnfinished)
}

function removeUnfinished(): void {
  for (const path of unfinished) {
    try {
      rmSync(path, { recursive: true })
    } catch {
      // It was renamed or removed meanwhile.
    }
  }
  unfinished.clear()
}

/** A process as others on its machine find it. */
export interface ProcessName {
  place: string
  pid: number
  beginning: string
}

export function ownProcess(): ProcessName {
  return { place, pid: process.pid, beginning: beginningOf(process.pid) }
}

/** Is it known to have ended? Of those elsewhere nothing is. */
export function hasEnded(of: ProcessName): boolean {
  return of.place === place && !isRunning(of.pid, of.beginning)
}

function isRunning(pid: number, beginning: string): boolean {
  try {
    process.kill(pid, 0)
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
  return beginningOf(pid) === beginning
}

/** Removes, once for each folder, what processes left there that were killed while they wrote. */
export async function clearLeftOver(folder: string): Promise<void> {
  if (cleared.has(folder)) return
  cleared.add(folder)
  for (const name of await readdir(folder).catch(() => [])) {
    const match = pattern.exec(name)
    if (!match) continue
    const [, where, pid, beginning = ''] = match
    const path = join(folder, name)
    const found = await stat(path).catch(() => undefined)
    const stale =
      where === place
        ? !isRunning(Number(pid), beginning)
        : found && Date.now() - found.mtimeMs > foreignHours * 3.6e6
    if (stale) await rm(path, { recursive: true }).catch(() => {})
  }
}
