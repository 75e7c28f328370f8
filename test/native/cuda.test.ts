// Where the CUDA toolkit is there: all code for cards compiles, and has every function that the host's
// code asks it to run. No card is needed.
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

/** Functions of the device layer in an object file that are defined there, or missing. */
async function symbols(object: string, kind: 'defined' | 'undefined'): Promise<Set<string>> {
  const { stdout } = await run('nm', ['--demangle', `--${kind}-only`, object])
  const named = stdout.split('\n').map((line) => line.replace(/^.* [A-Za-z] /, '').trim())
  return new Set(named.filter((name) => name.includes('device::cuda_')))
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

test('code for cards compiles, and lacks none of the functions that are asked for', async (t) => {
  if (!hasToolkit) return t.pass('there is no nvcc')
  const out = await folder(t)
  const provided = new Set<string>()
  const common = ['-std=c++17', '-I', native, '-DAT_CUDA', '-c']
  for (const file of await sources('.cu')) {
    const object = join(out, `${basename(file)}.o`)
    const flags = ['-arch=sm_90', '-Xcompiler=-fPIC', '-Werror=all-warnings']
    await run('nvcc', [...flags, ...common, join(native, file), '-o', object])
    for (const name of await symbols(object, 'defined')) provided.add(name)
  }
  let asked = 0
  for (const file of await sources('.cc')) {
    const text = await readFile(join(native, file), 'utf8')
    if (!/#include "device\/(launch|open|cuda\/\w+)\.h"/.test(text)) continue
    if (file.startsWith('binding/')) continue
    const object = join(out, `${file.replaceAll('/', '-')}.o`)
    await run('g++', ['-O0', ...common, join(native, file), '-o', object])
    for (const name of await symbols(object, 'undefined')) {
      asked += 1
      t.true(provided.has(name), `${file}: ${name} is missing in device/functions/list.h`)
    }
  }
  t.true(asked > 0)
})
