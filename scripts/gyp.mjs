// Builds the addon a second time, with binding.gyp, in a folder of its own, and checks that what
// comes out loads and knows the same operators as the first build. node-gyp wants Node's headers,
// which it would download; this addon needs only those of Node-API, which an npm package has.
import { existsSync, mkdirSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { npm } from './setup/packages.mjs'
import { output, root, SetupError, step } from './setup/run.mjs'
import { install } from './setup/system.mjs'

const folder = join(root, 'build-gyp')

// What Node's own common.gypi says that matters to an addon: the two configurations.
const COMMON = `{
  'target_defaults': {
    'default_configuration': 'Release',
    'cflags': ['-pthread'],
    'configurations': { 'Release': { 'cflags': ['-O3'] }, 'Debug': { 'cflags': ['-O0', '-g'] } },
  },
}
`

/** npm brings a node-gyp of its own. */
function nodeGyp() {
  const [first = '', script] = npm()
  const prefix = script ?? output('which', [first])?.trim()
  const packages = prefix && createRequire(realpathSync(prefix))
  if (packages) return packages.resolve('node-gyp/bin/node-gyp.js')
  throw new SetupError('npm, and the node-gyp inside it, was not found')
}

/** A checkout in small: links to the sources, so that build/ here stays as it is. */
function layOut() {
  mkdirSync(join(folder, 'node/include/node'), { recursive: true })
  writeFileSync(join(folder, 'node/include/node/common.gypi'), COMMON)
  for (const name of ['binding.gyp', 'native', 'node_modules', 'package.json']) {
    rmSync(join(folder, name), { force: true })
    symlinkSync(join(root, name), join(folder, name))
  }
}

async function build() {
  if (output('python3', ['--version']) === undefined) await install(['python'])
  layOut()
  const ccache = output('ccache', ['--version']) === undefined ? '' : 'ccache '
  await step(
    'Building the addon with node-gyp',
    process.execPath,
    [nodeGyp(), 'rebuild', '--force-process-config'],
    {
      cwd: folder,
      env: {
        // npm may have set it; node-gyp reads the environment before its options.
        npm_config_nodedir: join(folder, 'node'),
        CXX: `${ccache}${process.env.CXX ?? 'g++'}`,
        CCACHE_BASEDIR: root,
        CCACHE_NOHASHDIR: '1',
        JOBS: String(availableParallelism()),
      },
    },
  )
  const path = join(folder, 'build/Release/adaptive_tangent.node')
  const other = join(root, 'build/Release/adaptive_tangent.node')
  /** @param {string} addon */
  const facts = (addon) =>
    output(process.execPath, ['-p', `a = require('${addon}'); a.blas + ' ' + a.operators`])
  const built = facts(path)
  if (built === undefined) throw new SetupError(`${path} does not load`)
  if (existsSync(other) && built !== facts(other)) {
    throw new SetupError(`${path} differs from ${other}: it says ${built}`)
  }
}

try {
  await build()
} catch (error) {
  if (!(error instanceof SetupError)) throw error
  process.stderr.write(`\n${error.message}\n`)
  process.exitCode = 1
}
