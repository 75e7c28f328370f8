import { readFileSync } from 'node:fs'
import { totalmem } from 'node:os'
import { badArgument, TangentError } from './errors.js'

const units: Record<string, number> = {
  '': 1,
  B: 1,
  kB: 1e3,
  KB: 1e3,
  MB: 1e6,
  GB: 1e9,
  TB: 1e12,
  KiB: 2 ** 10,
  MiB: 2 ** 20,
  GiB: 2 ** 30,
  TiB: 2 ** 40,
}

/** Bytes of a budget: a number, or a text such as `'2GiB'`, `'800 MB'`. */
export function parseBytes(value: number | string, name = 'memory'): number {
  const match =
    typeof value === 'string' ? /^\s*(\d+(?:\.\d+)?)\s*([kKMGT]?i?B?)\s*$/.exec(value) : null
  const unit = match ? units[match[2] ?? ''] : undefined
  const bytes = match && unit !== undefined ? Number(match[1]) * unit : value
  if (typeof bytes !== 'number' || !Number.isFinite(bytes) || bytes < 1) {
    throw badArgument(name, "a number of bytes ≥ 1 or a text such as '2GiB'", value)
  }
  return Math.floor(bytes)
}

/** A line of one of the process's files in /proc; '' on other systems. */
function fromProc(file: string, name: string): string {
  try {
    const lines = readFileSync(`/proc/self/${file}`, 'latin1').split('\n')
    return lines.find((line) => line.startsWith(name))?.slice(name.length) ?? ''
  } catch {
    return ''
  }
}

/** Bytes of address space (ulimit -v) that are still free. */
export function addressSpaceLeft(): number {
  const limit = Number.parseInt(fromProc('limits', 'Max address space'), 10)
  const used = 1024 * Number.parseInt(fromProc('status', 'VmSize:'), 10)
  return Number.isFinite(limit - used) ? Math.max(limit - used, 1) : Infinity
}

/** Addresses that the start of each takes, with some to spare. */
const addresses = {
  'The compiled core': 400 * 2 ** 20,
  "A network's thread": 800 * 2 ** 20,
}

/**
 * Where the address space is limited, whether this still fits in it: Node and the libraries do not look, and
 * end the process, or try again for ever.
 * @throws TangentError OUT_OF_MEMORY
 */
export function checkAddressSpace(what: keyof typeof addresses): void {
  const left = addressSpaceLeft()
  if (left >= addresses[what]) return
  throw new TangentError(
    'OUT_OF_MEMORY',
    `${what} needs ${formatBytes(addresses[what])} of addresses but this process has ${formatBytes(left)} left under its limit; raise the limit (ulimit -v)`,
  )
}

/** Half of what this process may use: of the machine, its container (cgroup) and its own limit. */
export function defaultBudget(): number {
  const container = process.constrainedMemory()
  const most = Math.min(totalmem(), container > 0 ? container : Infinity, addressSpaceLeft())
  return Math.max(Math.floor(most / 2), 1)
}

/** `'1.5 GiB'`. */
export function formatBytes(bytes: number): string {
  const names = ['bytes', 'KiB', 'MiB', 'GiB', 'TiB']
  let power = 0
  let value = bytes
  while (value >= 1024 && power < names.length - 1) {
    value /= 1024
    power += 1
  }
  return `${power === 0 ? value : value.toPrecision(3)} ${names[power]}`
}

/**
 * Checks that the result leaves room for the work.
 * @returns the bytes left in addition to the result.
 * @throws TangentError MEMORY_BUDGET that says what would fit.
 */
export function roomBeside(
  result: number,
  budget: number,
  what: string,
  fits: () => string,
): number {
  if (result < budget) return budget - result
  throw new TangentError(
    'MEMORY_BUDGET',
    `${what} takes ${formatBytes(result)} but the memory budget is ${formatBytes(budget)}; ${fits()}`,
  )
}
