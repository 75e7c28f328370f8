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

/** Half of what this process may use. */
export function defaultBudget(): number {
  const limit = process.constrainedMemory()
  const total = totalmem()
  return Math.floor((limit > 0 && limit < total ? limit : total) / 2)
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
 * @returns the bytes left beside the result.
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
