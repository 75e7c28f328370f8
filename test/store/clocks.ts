// Processes whose clock is hours ahead or behind, by libfaketime.
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'

/** Debian's folders, and those of others. */
const folders = ['/usr/lib', '/usr/lib64', '/usr/local/lib', '/opt/homebrew/lib']
const file = 'faketime/libfaketime.so.1'

function found(): string | undefined {
  const given = process.env.FAKETIME_LIBRARY
  if (given !== undefined) return given
  const architectures = readdirSync('/usr/lib').filter((name) => name.includes('-linux-'))
  const all = [...architectures.map((name) => join('/usr/lib', name)), ...folders]
  return all.map((folder) => join(folder, file)).find((path) => existsSync(path))
}

const library = found()

/** Of the environment of such a process. What measures time that passes is as everywhere. */
export function otherClock(hours: number): NodeJS.ProcessEnv {
  if (library === undefined)
    throw new Error('libfaketime is missing: npm run test:store installs it')
  if (hours === 0) return {}
  const sign = hours < 0 ? '-' : '+'
  return {
    LD_PRELOAD: library,
    FAKETIME: `${sign}${Math.abs(hours)}h`,
    FAKETIME_DONT_FAKE_MONOTONIC: '1',
  }
}
