// A network that never ends: what waits for it must not.
import { execFile } from 'node:child_process'
import { mkdtemp, readFile, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { floats, model } from '../support/onnx.js'

const bytes = model({
  inputs: [{ name: 'x', shape: ['N', 2] }],
  outputs: [{ name: 'y', shape: ['N', 2] }],
  initializers: {
    w: floats([2], [1, 2]),
    trips: { type: 'int64', shape: [], data: [2 ** 62] },
    yes: { type: 'bool', shape: [], data: [1] },
  },
  nodes: [
    { op: 'Mul', inputs: ['x', 'w'], outputs: ['h'] },
    {
      op: 'Loop',
      inputs: ['trips', 'yes', 'h'],
      outputs: ['y'],
      attributes: {
        body: {
          g: {
            inputs: [
              { name: 'k', type: 'int64', shape: [] },
              { name: 'go', type: 'bool', shape: [] },
              { name: 'a', shape: ['N', 2] },
            ],
            outputs: [
              { name: 'on', type: 'bool', shape: [] },
              { name: 'b', shape: ['N', 2] },
            ],
            nodes: [
              { op: 'Identity', inputs: ['go'], outputs: ['on'] },
              { op: 'Sin', inputs: ['a'], outputs: ['b'] },
            ],
          },
        },
      },
    },
  ],
})

const module = new URL('../../lib/index.js', import.meta.url).href
const start = (file: string) => `
  import { Network } from ${JSON.stringify(module)}
  process.on('exit', () => console.log('exit'))
  const network = await Network.load(${JSON.stringify(file)}, { unsupported: 'defer' })
  const control = new AbortController()
  const x = { data: new Float32Array(2), shape: [1, 2] }
  const running = network.run(x, { signal: control.signal }).catch(({ name }) => console.log(name))
  // By the processor's time: on a busy machine it takes long until the network runs.
  const { user } = process.cpuUsage()
  while (process.cpuUsage().user - user < 4e6) await new Promise((done) => setTimeout(done, 100))
`

const endings: Record<string, { script: string; code: number; stdout: string }> = {
  'dispose settles, calls that wait are told, and the process ends by itself': {
    script: `
      control.abort()
      await running
      const waiting = network.run(x).catch(({ code }) => console.log(code))
      await network.dispose()
      await waiting
      console.log('disposed')
      process.exitCode = 3`,
    code: 3,
    stdout: 'AbortError\nDISPOSED\ndisposed\nexit\n',
  },
  'process.exit ends the process while it runs': {
    script: `process.exit(4)`,
    code: 4,
    stdout: 'exit\n',
  },
  'an exception of the caller ends it, too': {
    script: `throw new Error('own')`,
    code: 1,
    stdout: 'exit\n',
  },
}

test('the file of docs/limits.md is this network', async (t) => {
  const stored = new URL('../../../test/engine/endless.onnx', import.meta.url)
  t.deepEqual(new Uint8Array(await readFile(stored)), new Uint8Array(bytes))
})

for (const [name, { script, code, stdout }] of Object.entries(endings)) {
  test(name, async (t) => {
    const folder = await mkdtemp(join(tmpdir(), 'endless-'))
    const file = join(folder, 'endless.onnx')
    await writeFile(file, bytes)
    await writeFile(join(folder, 'script.mjs'), start(file) + script)
    const done = await new Promise<{ code: unknown; stdout: string }>((resolve) => {
      execFile(
        process.execPath,
        [join(folder, 'script.mjs')],
        { timeout: 120_000, killSignal: 'SIGKILL' },
        (error, out) => resolve({ code: error?.code ?? (error ? 'killed' : 0), stdout: out }),
      )
    })
    t.deepEqual(done, { code, stdout })
  })
}
