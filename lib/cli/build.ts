// Compiles the core where this package is installed, for systems without a package of their own.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { packageRoot } from '../core/package.js'
import type { CommandDefinition } from './define.js'

export const sourceBuildCommand: CommandDefinition = {
  examples: ['build'],
  async run(session) {
    const child = spawn(process.execPath, [join(packageRoot, 'scripts/build.mjs')], {
      // Standard output belongs to what a command computes.
      stdio: ['ignore', process.stderr, 'inherit'],
      signal: session.signal,
    })
    const [status] = await once(child, 'close')
    session.result({ built: status === 0 })
    if (status !== 0) session.fail()
  },
}
