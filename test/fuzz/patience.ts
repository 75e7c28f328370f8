// How long a child may take: counted in its own work, so that a machine which others load, or a
// process that is stopped for a while, does not look like a hang.
import { readdirSync, readFileSync } from 'node:fs'

/** Milliseconds between two looks. */
const interval = 500
/** Linux counts a process's time in ticks of 10 ms. */
const tick = 10

/** CPU milliseconds of a process so far, and whether all its threads sleep; null where /proc is not. */
function state(pid: number): { used: number; asleep: boolean } | null {
  // The second field, a name in brackets, may hold spaces.
  const fields = (path: string) =>
    readFileSync(path, 'utf8')
      .replace(/^.*\) /s, '')
      .split(' ')
  try {
    const whole = fields(`/proc/${pid}/stat`)
    const threads = readdirSync(`/proc/${pid}/task`)
    const asleep = threads.every((id) => fields(`/proc/${pid}/task/${id}/stat`)[0] === 'S')
    return { used: (Number(whole[11]) + Number(whole[12])) * tick, asleep }
  } catch {
    return null
  }
}

/**
 * Calls `onHang` once the process has computed for `limit` milliseconds, or has slept through as many
 * looks as make up that time. Where the system does not tell, time is what passes between the looks.
 *
 * @returns a function that ends the wait.
 */
export function patience(pid: number, limit: number, onHang: (why: string) => void): () => void {
  const began = state(pid)?.used ?? 0
  let [slept, last] = [0, began]
  const timer = setInterval(() => {
    const now = state(pid)
    if (!now || (now.asleep && now.used === last)) slept += interval
    last = now?.used ?? 0
    if (last - began > limit) onHang(`${last - began} ms of CPU time`)
    else if (slept > limit) onHang(`asleep for ${slept} ms`)
  }, interval)
  return () => clearInterval(timer)
}
