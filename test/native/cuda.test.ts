// Code for cards: it has every function that the host's code asks it to run, and compiles where the CUDA
// toolkit is there. No card is needed.
import { execFile, execFileSync } from 'node:child_process'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import test, { type ExecutionContext } from 'ava'
import { native as addon } from '../../lib/native/index.js'

const run = promisify(execFile)
const root = fileURLToPath(new URL('../../..', import.meta.url))
const native = join(root, 'native')

// What the driver of one H200 says, by the numbers that CUDA's header gives its attributes.
const DRIVER = `
#include <stddef.h>
#include <string.h>
int cuDriverGetVersion(int* version) { *version = 13000; return 0; }
int cuInit(unsigned flags) { return 0; }
int cuDeviceGetCount(int* count) { *count = 1; return 0; }
int cuDeviceGet(int* card, int k) { *card = k; return 0; }
int cuDeviceGetName(char* text, int size, int card) { strncpy(text, "NVIDIA H200", size); return 0; }
int cuDeviceTotalMem_v2(size_t* bytes, int card) { *bytes = 150754820096; return 0; }
int cuDeviceGetAttribute(int* value, int attribute, int card) {
  switch (attribute) {
    case 16: *value = 132; return 0;     // multiprocessors
    case 13: *value = 1980000; return 0; // kHz
    case 36: *value = 3201000; return 0; // kHz of the memory
    case 37: *value = 6144; return 0;    // bits of its bus
    case 75: *value = 9; return 0;
    case 76: *value = 0; return 0;
    default: return 1;
  }
}
`

/** A driver of that kind in a folder, for LD_LIBRARY_PATH. */
async function driverIn(t: ExecutionContext): Promise<string> {
  const made = await folder(t)
  const source = join(made, 'driver.c')
  await writeFile(source, DRIVER)
  await run('gcc', ['-shared', '-fPIC', '-w', source, '-o', join(made, 'libcuda.so.1')])
  return made
}

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
    for (const [, name = ''] of text.matchAll(/\nstruct (\w+)(?: : [^{]+)? \{/g)) asked.add(name)
  }
  // What functions are made of, not functions themselves.
  const parts = [
    'WindowShape',
    'PoolingWindows',
    'Coordinates',
    'Reach',
    'Axes',
    'FourWords',
    'PhiloxKey',
    'MapTable',
    'SketchRows',
    'Stepped',
  ]
  for (const part of parts) asked.delete(part)
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
  // What opens it, linked with it: it runs where there is no driver, and says so.
  const opening = (await sources('.cc')).filter((path) =>
    /^(core\/(shape|buffer|spare)|device\/(copies|open|driver|stream|precision|counted|cuda\/.*))\.cc$/.test(
      path,
    ),
  )
  const main = join(out, 'main.cc')
  await writeFile(
    main,
    `#include <cstdio>
#include "device/emulated.h"
#include "device/open.h"
namespace at::device {
EmulatedRange emulated_range;
std::shared_ptr<Stream> open_emulated(size_t) { return nullptr; }
}
int main() {
  for (const auto& card : at::device::find_cards()) std::puts(card.why_not.c_str());
}
`,
  )
  const program = join(out, 'probe')
  const warnings = '-Xcompiler=-Wall,-Wextra,-Werror,-Wno-unused-parameter'
  const linked = [main, ...opening.map((file) => join(native, file)), join(out, 'device.cu.o')]
  await run('nvcc', [...common, warnings, ...linked, '-o', program, '-ltbb', '-ldl'])
  const { stdout: alone } = await run(program, [])
  const [card] = addon.cards()
  if (card?.what === '') t.is(alone.trim(), card.whyNot)
  const { stdout: there } = await run(program, [], {
    env: { ...process.env, LD_LIBRARY_PATH: await driverIn(t) },
  })
  t.regex(there, /^(|libcublas\.so\.13 was not found .*)\n$/)
})

test('a card and its rates are what the driver says', async (t) => {
  const script = `import { native } from ${JSON.stringify(join(root, 'dist/lib/native/index.js'))}
    console.log(JSON.stringify([native.driver(), ...native.cards()]))`
  const { stdout } = await run(process.execPath, ['--input-type=module', '--eval', script], {
    env: { ...process.env, LD_LIBRARY_PATH: await driverIn(t) },
  })
  const [driver, card] = JSON.parse(stdout)
  t.is(driver, 'CUDA 13.0')
  t.is(card.name, 'cuda:0')
  t.is(card.what, 'NVIDIA H200')
  t.is(card.memory, 150754820096)
  t.regex(card.whyNot, /no code for cards|libcublas/)
  // The data sheet: 67 TFLOP/s in float32, 34 in float64, 4.8 TB/s.
  t.is(Math.round(card.float32 / 1e12), 67)
  t.is(Math.round(card.float64 / 1e12), 33)
  t.is(Math.round(card.bandwidth / 1e11), 49)
})
