// The set-up as a person without the right system meets it, and the check of the layers.
import { execFile } from 'node:child_process'
import { cp, mkdir, mkdtemp, rm, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test from 'ava'

const root = fileURLToPath(new URL('../../..', import.meta.url))

function run(cwd: string, args: string[], env: NodeJS.ProcessEnv) {
  return new Promise<{ code: number; stdout: string; stderr: string }>((resolve) => {
    execFile(process.execPath, args, { cwd, env }, (error, stdout, stderr) => {
      resolve({ code: error ? Number(error.code) : 0, stdout, stderr })
    })
  })
}

/** A copy of the scripts in a folder of its own, removed when the test ends. */
async function scripts(t: { teardown(fn: () => Promise<void>): void }) {
  const folder = await mkdtemp(join(tmpdir(), 'adaptive-tangent-'))
  t.teardown(() => rm(folder, { recursive: true }))
  await cp(join(root, 'scripts'), join(folder, 'scripts'), { recursive: true })
  return folder
}

test('without a compiler the build says in one sentence what is missing', async (t) => {
  const folder = await scripts(t)
  for (const name of ['node-api-headers', 'node-addon-api', 'onnxruntime-node']) {
    await mkdir(join(folder, 'node_modules', name), { recursive: true })
  }
  const { code, stdout, stderr } = await run(folder, ['scripts/build.mjs'], { PATH: '/nowhere' })
  t.is(code, 1)
  t.is(stdout, '')
  t.is(
    stderr.trim(),
    'adaptive-tangent cannot be built: a C++17 compiler, make and CMake 3.18 or newer are ' +
      'missing: install g++, make, cmake, OpenBLAS and oneTBB with their headers',
  )
})

test('a copy of a checkout is as current as the checkout, whatever the times of its files', async (t) => {
  const folder = await scripts(t)
  const write = async (name: string, text: string) => {
    await mkdir(join(folder, name, '..'), { recursive: true })
    await writeFile(join(folder, name), text)
  }
  await write('in/a.txt', 'source')
  await write('out/b.txt', 'result')
  const ask = async (action: string) => {
    const code = `import('./scripts/setup/stamp.mjs').then(async ({ Stamp, files }) => {
      const stamp = new Stamp('stamp.json', () => files('in'), () => files('out'), 'facts')
      console.log(${action})
    })`
    const { stdout } = await run(folder, ['-e', code], process.env)
    return stdout.trim()
  }
  t.is(await ask('stamp.current()'), 'false')
  await ask('stamp.write()')
  t.is(await ask('stamp.current()'), 'true')
  const long = new Date('2001-01-01')
  for (const name of ['in/a.txt', 'out/b.txt']) await utimes(join(folder, name), long, long)
  t.is(await ask('stamp.current()'), 'true')
  await write('out/b.txt', 'damage')
  t.is(await ask('stamp.current()'), 'false')
  await write('out/b.txt', 'result')
  t.is(await ask('stamp.current()'), 'true')
  await write('in/a.txt', 'change')
  t.is(await ask('stamp.current()'), 'false')
  // A file that changes while the outputs are made may not be in them.
  const edit = `(await import('node:fs')).writeFileSync('in/a.txt', 'late')`
  const early = `(await import('node:fs')).writeFileSync('in/new.txt', 'made by the step itself')`
  await ask(`[stamp.current(), ${early}, stamp.write()]`)
  t.is(await ask('stamp.current()'), 'true')
  await write('in/a.txt', 'change again')
  await ask(`[stamp.current(), ${edit}, stamp.write()]`)
  t.is(await ask('stamp.current()'), 'false')
})

test('includes against the order of the layers are found', async (t) => {
  const folder = await scripts(t)
  for (const layer of ['core', 'fit', 'rules', 'odd']) {
    await mkdir(join(folder, 'native', layer), { recursive: true })
  }
  const write = (name: string, text: string) => writeFile(join(folder, 'native', name), text)
  await write('core/a.h', '#pragma once\n#include "graph/tape.h"\n#include <vector>\n')
  await write('fit/a.cc', '#include "core/a.h"\n#include "fit/b.h"\n#include "rules/rule.h"\n')
  await write('rules/a.cc', '#include "graph/tape.h"\n#include "../core/a.h"\n')
  await write('odd/a.cc', '#include "core/a.h"\n')
  await write('core/long.cc', '// a line\n'.repeat(451))
  const list =
    'import("./scripts/layers.mjs").then((m) => console.log(m.layerFaults().join("\\n")))'
  const { stdout } = await run(folder, ['-e', list], process.env)
  t.deepEqual(stdout.trim().split('\n'), [
    'native/core/a.h:2: native/core must not include "graph/tape.h"',
    'native/core/long.cc: 451 lines, 450 at most',
    'native/fit/a.cc:3: native/fit must not include "rules/rule.h"',
    'native/odd/a.cc:1: native/odd is not a layer that scripts/layers.mjs knows',
    'native/rules/a.cc:2: includes "../core/a.h", which does not start with a layer\'s name',
  ])
})
