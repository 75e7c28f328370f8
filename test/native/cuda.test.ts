// Code for cards: it has every function that the host's code asks it to run, and compiles where the CUDA
// toolkit is there. No card is needed.
import { execFile, execFileSync } from 'node:child_process'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import test, { type ExecutionContext } from 'ava'

const run = promisify(execFile)
const root = fileURLToPath(new URL('../../..', import.meta.url))
const native = join(root, 'native')

const hasToolkit = (() => {
  try {
    execFileSync('nvcc', ['--version'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
})()

async function sources(ending: string): Promise<string[]> {
  const all = await readdir(native, { recursive: true })
  return all.filter((path) => path.endsWith(ending)).sort()
}

async function folder(t: ExecutionContext): Promise<string> {
  const made = await mkdtemp(join(tmpdir(), 'adaptive-tangent-'))
  t.teardown(() => rm(made, { recursive: true }))
  return made
}

test('code for cards knows neither rules nor the graph', async (t) => {
  const files = [...(await sources('.cu')), ...(await sources('.h'))]
  const device = files.filter((path) => path.startsWith('device/'))
  t.true(device.includes('device/cuda/device.cu'))
  for (const path of device) {
    const text = await readFile(join(native, path), 'utf8')
    const included = [...text.matchAll(/#include "(\w+)\//g)].map(([, layer]) => layer)
    t.deepEqual(
      included.filter((layer) => layer !== 'device' && layer !== 'core'),
      [],
      path,
    )
  }
})

test('functions that the host asks devices to run are in the list of what is compiled for cards', async (t) => {
  const list = await readFile(join(native, 'device/functions/list.h'), 'utf8')
  const listed = new Set([...list.matchAll(/\b(\w+)<T/g)].map(([, name]) => name))
  const asked = new Set<string>()
  for (const path of await sources('.h')) {
    if (!path.startsWith('device/functions/')) continue
    const text = await readFile(join(native, path), 'utf8')
    for (const [, name = ''] of text.matchAll(/\nstruct (\w+) \{/g)) asked.add(name)
  }
  // What functions are made of, not functions themselves.
  for (const part of ['WindowShape', 'Coordinates']) asked.delete(part)
  t.deepEqual([...asked].sort(), [...listed].sort() as string[])
})

test('code for cards, and what opens it, compiles', async (t) => {
  if (!hasToolkit) return t.pass('there is no nvcc')
  const out = await folder(t)
  const common = ['-std=c++17', '-I', native, '-DAT_CUDA']
  for (const file of await sources('.cu')) {
    const object = join(out, `${basename(file)}.o`)
    const flags = ['-arch=sm_90', '-Xcompiler=-fPIC', '-Werror=all-warnings', '-c']
    await run('nvcc', [...flags, ...common, join(native, file), '-o', object])
    const { stdout } = await run('nm', ['--demangle', '--defined-only', object])
    // Both precisions of each.
    for (const type of ['float', 'double'])
      t.true(stdout.includes(`cuda_for_rows<at::device::Fill<${type}>`), type)
  }
  const opening = (await sources('.cc')).filter((path) =>
    /^device\/(open|cuda\/.*)\.cc$/.test(path),
  )
  t.true(opening.length > 1)
  for (const file of opening)
    await run('g++', ['-fsyntax-only', '-Wall', '-Werror', ...common, join(native, file)])
})
