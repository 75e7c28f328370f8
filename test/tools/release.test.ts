// What a release refuses and what it writes.
import { execFile } from 'node:child_process'
import { cp, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test from 'ava'

const root = fileURLToPath(new URL('../../..', import.meta.url)).replace(/\/$/, '')

function run(cwd: string, program: string, args: string[]) {
  return new Promise<{ code: number; stdout: string; stderr: string }>((resolve) => {
    execFile(program, args, { cwd }, (error, stdout, stderr) => {
      resolve({ code: error ? Number(error.code) : 0, stdout, stderr })
    })
  })
}

/** What an expression of a script's exports is, as JSON; or the sentence that it throws. */
async function ask(cwd: string, script: string, expression: string): Promise<unknown> {
  const code = `import('./scripts/release/${script}.mjs').then((m) => ${expression})
    .then((value) => console.log(JSON.stringify(value ?? null)), (e) => console.log(JSON.stringify(e.message)))`
  const { stdout, stderr } = await run(cwd, process.execPath, ['-e', code])
  return JSON.parse(stdout || JSON.stringify(stderr))
}

const identity = ['-c', 'user.name=x', '-c', 'user.email=x@example.org']

/** A repository with this one's scripts, removed when the test ends. */
async function repository(t: { teardown(fn: () => Promise<void>): void }): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'adaptive-tangent-'))
  t.teardown(() => rm(folder, { recursive: true }))
  await cp(join(root, 'scripts'), join(folder, 'scripts'), { recursive: true })
  for (const name of ['package.json', 'package-lock.json']) {
    await cp(join(root, name), join(folder, name))
  }
  await writeFile(join(folder, 'CHANGELOG.md'), '# Changes\n\n## Unreleased\n\n### Added\n\n- x.\n')
  await writeFile(join(folder, '.gitignore'), 'node_modules\n')
  await symlink(join(root, 'node_modules'), join(folder, 'node_modules'))
  for (const words of [
    ['init', '-q'],
    ['add', '-A'],
    [...identity, 'commit', '-qm', 'x'],
  ]) {
    await run(folder, 'git', words)
  }
  return folder
}

test('a tree with changes that are not committed is refused, with their names', async (t) => {
  const folder = await repository(t)
  t.is(await ask(folder, 'history', 'm.checkClean()'), null)
  await writeFile(join(folder, 'odd.txt'), '')
  const why = String(await ask(folder, 'history', 'm.checkClean()'))
  t.regex(why, /^The tree has changes that are not committed:\n\?\? odd\.txt\n/)
  const packing = await run(folder, process.execPath, ['scripts/release.mjs', '--pack', 'out'])
  t.is(packing.code, 1)
  t.regex(packing.stderr, /odd\.txt/)
})

test('the version goes into package.json, the lock file and the change log', async (t) => {
  const folder = await repository(t)
  t.is(await ask(folder, 'history', "void m.writeVersion('12.3.4')"), null)
  const { stdout } = await run(folder, 'git', ['diff', '--unified=0'])
  const added = stdout.split('\n').filter((line) => /^\+[^+]/.test(line))
  t.deepEqual(
    added.map((line) => line.replace(/\d{4}-\d\d-\d\d/, 'DAY')),
    [
      '+## 12.3.4 (DAY)',
      '+  "version": "12.3.4",',
      '+      "version": "12.3.4",',
      '+  "version": "12.3.4",',
    ],
  )
  t.regex(String(await ask(folder, 'history', "m.writeVersion('12.3.4')")), /has version 12\.3\.4/)
  t.regex(String(await ask(folder, 'history', "m.writeVersion('new')")), /Expected a version/)
})

test('what was written for a version can be taken back', async (t) => {
  const folder = await repository(t)
  t.is(await ask(folder, 'history', "m.writeVersion('12.3.4')()"), null)
  t.is((await run(folder, 'git', ['status', '--porcelain'])).stdout, '')
})

test('what cannot be released is refused before anything is tested', async (t) => {
  const folder = await repository(t)
  const release = (version: string) =>
    run(folder, process.execPath, ['scripts/release.mjs', '--version', version])
  const odd = await release('new')
  t.is(odd.code, 1)
  t.is(odd.stderr.trim(), 'Expected a version such as 1.2.3 for --version but received new')
  await writeFile(join(folder, 'CHANGELOG.md'), '# Changes\n\n## Unreleased\n')
  await run(folder, 'git', [...identity, 'commit', '-qam', 'x'])
  const silent = await release('12.3.4')
  t.is(silent.code, 1)
  t.is(silent.stderr.trim(), 'CHANGELOG.md says nothing under "## Unreleased"')
})

test('programs that a release lacks are all named at once', async (t) => {
  const code = `const { checkTools } = await import('./scripts/release/needs.mjs')
    process.env.PATH = '/nowhere'
    try { checkTools([], { tried: true }) } catch (error) { console.log(error.message) }`
  const { stdout } = await run(root, process.execPath, ['--input-type=module', '-e', code])
  for (const name of ['cmake', 'readelf', 'python3 -m pip', 'apt-get', 'dpkg-deb', 'unshare']) {
    t.true(stdout.includes(`\n${name} `), name)
  }
})

test('a package without compiled files is refused, with their names', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'adaptive-tangent-'))
  t.teardown(() => rm(folder, { recursive: true }))
  const why = await ask(root, 'stage', `m.checkCompiled('${folder}')`)
  t.is(why, 'dist lacks lib/index.d.ts, package/index.js, package/cli.js, commonjs/index.js')
  t.is(await ask(root, 'stage', `m.checkCompiled('${root}')`), null)
})

test('a version without a line in the change log is refused', async (t) => {
  const text = '# Changes\\n\\n## Unreleased\\n\\n## 1.0.0 (2020-01-01)\\n'
  const why = await ask(root, 'history', `m.withVersion('${text}', '1.1.0', '2020-01-02')`)
  t.is(why, 'CHANGELOG.md says nothing under "## Unreleased"')
})

test('a binary that wants more of the system than is promised is refused', async (t) => {
  // The addon that was built here is linked with this system's libraries.
  const addon = join(root, 'build/Release/adaptive_tangent.node')
  const faults = (await ask(root, 'binary', `m.binaryFaults('${addon}')`)) as string[]
  t.true(faults.some((fault) => /adaptive_tangent\.node needs lib(openblas|tbb)/.test(fault)))
  const runtime = 'node_modules/onnxruntime-node/bin/napi-v6/linux'
  for (const file of ['x64/libonnxruntime.so.1', 'arm64/onnxruntime_binding.node']) {
    t.deepEqual(await ask(root, 'binary', `m.binaryFaults('${join(root, runtime, file)}')`), [])
  }
})

test('every routine of BLAS and LAPACK that is called has its name in the packages', async (t) => {
  const addon = join(root, 'build/Release/adaptive_tangent.node')
  const { stdout } = await run(root, 'readelf', ['-W', '--dyn-syms', addon])
  const called = [...stdout.matchAll(/ UND ([a-z][a-z0-9]*_)(?=[@\s])/g)].map(([, name]) => name)
  const header = await readFile(join(root, 'native/core/fortran.h'), 'utf8')
  const named = [...header.matchAll(/^#define (\w+_) scipy_\1$/gm)].map(([, name]) => name)
  t.true(called.includes('dgemm_'))
  t.deepEqual(
    called.filter((name) => !named.includes(name)),
    [],
  )
})
