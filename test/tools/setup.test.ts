// The set-up as a person without the right system meets it, and the check of the layers.
import { execFile } from 'node:child_process'
import { cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
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

test('without a compiler the install script says in one sentence what is missing', async (t) => {
  const folder = await scripts(t)
  const { code, stdout, stderr } = await run(folder, ['scripts/install.mjs'], { PATH: '/nowhere' })
  t.is(code, 1)
  t.is(stdout, '')
  t.is(
    stderr.trim(),
    'adaptive-tangent cannot be built: a C++17 compiler, make and CMake 3.18 or newer are ' +
      'missing: install g++, make, cmake, OpenBLAS and oneTBB with their headers',
  )
})

test('the install script leaves a binary that is there alone', async (t) => {
  const folder = await scripts(t)
  await mkdir(join(folder, 'build/Release'), { recursive: true })
  await writeFile(join(folder, 'build/Release/adaptive_tangent.node'), '')
  const result = await run(folder, ['scripts/install.mjs'], { PATH: '/nowhere' })
  t.deepEqual(result, { code: 0, stdout: '', stderr: '' })
})

test('includes against the order of the layers are found', async (t) => {
  const folder = await scripts(t)
  for (const layer of ['core', 'solve', 'rules', 'odd']) {
    await mkdir(join(folder, 'native', layer), { recursive: true })
  }
  const write = (name: string, text: string) => writeFile(join(folder, 'native', name), text)
  await write('core/a.h', '#pragma once\n#include "graph/tape.h"\n#include <vector>\n')
  await write('solve/a.cc', '#include "core/a.h"\n#include "solve/b.h"\n#include "rules/rule.h"\n')
  await write('rules/a.cc', '#include "graph/tape.h"\n#include "../core/a.h"\n')
  await write('odd/a.cc', '#include "core/a.h"\n')
  await write('core/long.cc', '// a line\n'.repeat(451))
  const list =
    'import("./scripts/layers.mjs").then((m) => console.log(m.layerFaults().join("\\n")))'
  const { stdout } = await run(folder, ['-e', list], process.env)
  t.deepEqual(stdout.trim().split('\n'), [
    'native/core/a.h:2: native/core must not include "graph/tape.h"',
    'native/core/long.cc: 451 lines, 450 at most',
    'native/odd/a.cc:1: native/odd is not a layer that scripts/layers.mjs knows',
    'native/rules/a.cc:2: includes "../core/a.h", which does not start with a layer\'s name',
    'native/solve/a.cc:3: native/solve must not include "rules/rule.h"',
  ])
})
