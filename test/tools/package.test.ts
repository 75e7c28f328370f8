// What npm packs: nothing else to install, nothing missing, usable by every kind of import.
import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { isBuiltin } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join, normalize } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import test from 'ava'
import { build } from 'esbuild'
import ts from 'typescript'

const root = fileURLToPath(new URL('../../..', import.meta.url)).replace(/\/$/, '')
const run = promisify(execFile)

const manifest = JSON.parse(await readFile(join(root, 'package.json'), 'utf8'))
const program = await readFile(join(root, 'scripts/install/uses/types.mts'), 'utf8')

/** The files that npm would pack. */
async function packed(): Promise<string[]> {
  const words = ['pack', '--dry-run', '--json', '--ignore-scripts']
  const { stdout } = await run('npm', words, { cwd: root })
  const [{ files }] = JSON.parse(stdout) as [{ files: { path: string }[] }]
  return files.map(({ path }) => path)
}

/** A project that has this package installed, removed when the test ends. */
async function project(t: { teardown(fn: () => Promise<void>): void }): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'adaptive-tangent-'))
  t.teardown(() => rm(folder, { recursive: true }))
  await mkdir(join(folder, 'node_modules'))
  await symlink(root, join(folder, 'node_modules/adaptive-tangent'))
  await symlink(join(root, 'node_modules/@types'), join(folder, 'node_modules/@types'))
  return folder
}

test('no install script, no dependency, nothing that npm would compile', async (t) => {
  for (const name of ['preinstall', 'install', 'postinstall', 'prepublish']) {
    t.is(manifest.scripts[name], undefined, name)
  }
  t.is(manifest.dependencies, undefined)
  t.false(manifest.gypfile)
  const files = await packed()
  t.false(files.includes('binding.gyp'))
  for (const path of [
    'dist/package/index.js',
    'dist/package/cli.js',
    'CMakeLists.txt',
    'LICENSE',
  ]) {
    t.true(files.includes(path), path)
  }
})

test('links of the documents that are packed lead to files that are packed', async (t) => {
  const files = new Set(await packed())
  const folders = new Set([...files].flatMap((path) => [dirname(path), dirname(dirname(path))]))
  const lost: string[] = []
  for (const page of [...files].filter((path) => path.endsWith('.md'))) {
    const text = (await readFile(join(root, page), 'utf8')).replace(/```.*?```/gs, '')
    for (const [, link = ''] of text.matchAll(/\]\((?!\w+:|#)<?([^)#>\s]+)/g)) {
      const path = normalize(join(dirname(page), link)).replace(/\/$/, '')
      if (!files.has(path) && !folders.has(path)) lost.push(`${page}: ${link}`)
    }
  }
  t.deepEqual(lost, [])
})

/** Those who use a queue install them. */
const optional = ['bullmq', 'ioredis']

test('the bundle needs nothing but Node and its own files', async (t) => {
  const folder = join(root, 'dist/package')
  const own = await readdir(folder)
  const scripts = own.filter((name) => name.endsWith('.js'))
  t.true(scripts.length > 3)
  for (const name of scripts) {
    // Types in comments are no imports.
    const text = (await readFile(join(folder, name), 'utf8')).replaceAll(/^\s*\/?\*.*$/gm, '')
    const imports = [
      ...text.matchAll(/(?:^|;)\s*(?:import|export)\b[^'";]*?from\s*['"]([^'"]+)['"]/g),
    ]
    const lazy = [...text.matchAll(/\bimport\(['"]([^'"]+)['"]\)/g)]
    const nearby = [...text.matchAll(/new URL\(['"]([^'"]+)['"],\s*import\.meta\.url\)/g)]
    for (const [, path = ''] of [...imports, ...lazy, ...nearby]) {
      if (optional.includes(path)) continue
      t.true(isBuiltin(path) || own.includes(path.replace(/^\.\//, '')), `${name}: ${path}`)
    }
  }
})

/** What Node reads before any of a file's code runs. */
async function loadedWith(file: string): Promise<Set<string>> {
  const found = new Set([file])
  for (const name of found) {
    const text = await readFile(join(root, 'dist/package', name), 'utf8')
    const imports = text.matchAll(/(?:^|;)\s*import\b[^'"();]*['"]\.\/([^'"]+)['"];/g)
    for (const [, path = ''] of imports) found.add(path)
  }
  return found
}

test('the files of the bundle fit together, and few are read before anything runs', async (t) => {
  const folder = join(root, 'dist/package')
  const sources: object = await import('../../lib/index.js')
  const bundled: object = await import(join(folder, 'index.js'))
  t.deepEqual(Object.keys(bundled).sort(), Object.keys(sources).sort())
  for (const file of ['index.js', 'cli.js']) {
    const loaded = await loadedWith(file)
    t.true(loaded.size > 1 && loaded.size <= 8, `${file}: ${[...loaded]}`)
  }
  const own = await readdir(folder)
  for (const name of own.filter((each) => /^shared-.*\.js$/.test(each))) {
    const text = await readFile(join(folder, name), 'utf8')
    if (optional.some((library) => text.includes(`from"${library}"`))) continue
    // Node refuses names that the files imported from do not have.
    await t.notThrowsAsync(import(join(folder, name)), name)
  }
})

test('the worker needs nothing but Node, and reads little before it runs', async (t) => {
  const folder = join(root, 'dist/package')
  const found = new Set(['worker.cjs'])
  for (const name of found) {
    const text = await readFile(join(folder, name), 'utf8')
    const asked = [...text.matchAll(/\b(?:require|import)\(['"]([^'"]+)['"]\)/g)]
    for (const [, path = ''] of asked) {
      if (path.startsWith('./')) found.add(path.slice(2))
      else t.true(isBuiltin(path), `${name}: ${path}`)
    }
  }
  t.true(found.size > 2, [...found].join(' '))
  for (const name of found) {
    const { size } = await stat(join(folder, name))
    if (/^worker(-shared-0)?\.cjs$/.test(name)) t.true(size < 120_000, `${name}: ${size} bytes`)
  }
  const written = (await readdir(folder)).filter((name) => name.startsWith('worker'))
  t.deepEqual(written.sort(), [...found].sort())
})

test('the declarations need nothing but Node’s types and their own files', async (t) => {
  for (const entry of ['dist/lib/index.d.ts', 'dist/commonjs/index.d.ts']) {
    const found = new Set([entry])
    const lost: string[] = []
    for (const path of found) {
      const text = await readFile(join(root, path), 'utf8')
      const code = text.replace(/\/\*.*?\*\//gs, '')
      for (const [, name = ''] of code.matchAll(/(?:from|import\()\s*['"]([^'"]+)['"]/g)) {
        if (name.startsWith('.')) found.add(join(dirname(path), name.replace(/\.js$/, '.d.ts')))
        else if (!isBuiltin(name)) lost.push(`${path}: ${name}`)
      }
    }
    t.deepEqual(lost, [], entry)
    t.true(found.size > 100, entry)
  }
})

test('importing it takes less than 150 ms', async (t) => {
  const code = `const before = process.cpuUsage()
    await import('adaptive-tangent')
    const { user, system } = process.cpuUsage(before)
    console.log((user + system) / 1000)`
  const times: number[] = []
  for (let k = 0; k < 5; k++) {
    const words = ['--input-type=module', '-e', code]
    times.push(Number((await run(process.execPath, words, { cwd: root })).stdout))
  }
  t.true(Math.min(...times) < 150, times.join(', '))
})

test('require works where Node allows it; elsewhere a sentence says what to do', async (t) => {
  const folder = await project(t)
  const code = "console.log(typeof require('adaptive-tangent').Network.load)"
  const allowed = 'require_module' in process.features
  if (allowed) {
    t.is((await run(process.execPath, ['-e', code], { cwd: folder })).stdout, 'function\n')
  }
  const words = [...(allowed ? ['--no-experimental-require-module'] : []), '-e', code]
  const error = await t.throwsAsync(run(process.execPath, words, { cwd: folder }))
  t.regex(
    String(error?.message),
    /Error: adaptive-tangent is an ES module, which require\(\) cannot load in Node v[\d.]+: write await import\('adaptive-tangent'\), or use Node 20\.19, 22\.12 or later/,
  )
})

/** TypeScript's own declarations, read once for all modes. */
const libraries = new Map<string, ts.SourceFile | undefined>()

function hostOf(options: ts.CompilerOptions): ts.CompilerHost {
  const host = ts.createCompilerHost(options)
  const read = host.getSourceFile.bind(host)
  host.getSourceFile = (name, ...rest) => {
    if (!name.includes('/typescript/lib/')) return read(name, ...rest)
    if (!libraries.has(name)) libraries.set(name, read(name, ...rest))
    return libraries.get(name)
  }
  return host
}

const { ModuleKind: M, ModuleResolutionKind: R } = ts
const modes: [name: string, file: string, ts.CompilerOptions][] = [
  ['node10', 'a.ts', { module: M.CommonJS, moduleResolution: R.Node10 }],
  ['node16, ES module', 'a.mts', { module: M.Node16, moduleResolution: R.Node16 }],
  ['node16, CommonJS', 'a.cts', { module: M.Node16, moduleResolution: R.Node16 }],
  ['nodenext, ES module', 'a.mts', { module: M.NodeNext, moduleResolution: R.NodeNext }],
  ['nodenext, CommonJS', 'a.cts', { module: M.NodeNext, moduleResolution: R.NodeNext }],
  ['bundler', 'a.ts', { module: M.ESNext, moduleResolution: R.Bundler }],
]
for (const [name, file, mode] of modes) {
  test(`its types are found by TypeScript's resolution ${name}`, async (t) => {
    const folder = await project(t)
    const path = join(folder, file)
    await writeFile(path, program)
    const options: ts.CompilerOptions = {
      ...mode,
      target: ts.ScriptTarget.ES2022,
      lib: ['lib.es2023.d.ts', 'lib.esnext.disposable.d.ts'],
      types: ['node'],
      typeRoots: [join(folder, 'node_modules/@types')],
      strict: true,
      noEmit: true,
    }
    const compiled = ts.createProgram([path], options, hostOf(options))
    const told = ts
      .getPreEmitDiagnostics(compiled)
      .map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, '\n'))
    t.deepEqual(told, [])
  })
}

test('esbuild bundles a program that leaves this package outside', async (t) => {
  const folder = await project(t)
  await writeFile(
    join(folder, 'a.mjs'),
    "import { TangentError } from 'adaptive-tangent'\nconsole.log(new TangentError('FAILED', 'x').code)\n",
  )
  for (const format of ['esm', 'cjs'] as const) {
    const outfile = join(folder, `out.${format === 'esm' ? 'mjs' : 'cjs'}`)
    await build({
      entryPoints: [join(folder, 'a.mjs')],
      outfile,
      bundle: true,
      platform: 'node',
      format,
      external: ['adaptive-tangent'],
      logLevel: 'silent',
    })
    if (format === 'cjs' && !('require_module' in process.features)) continue
    t.is((await run(process.execPath, [outfile], { cwd: folder })).stdout, 'FAILED\n')
  }
})
