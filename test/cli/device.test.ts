// What commands tell of the device that they use.
import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import test, { type ExecutionContext } from 'ava'
import { floats, model } from '../support/onnx.js'
import { fixture } from '../support/reference.js'

const main = fileURLToPath(new URL('../../lib/cli/main.js', import.meta.url))
const cli = (...args: string[]) => promisify(execFile)(process.execPath, [main, ...args])

async function folder(t: ExecutionContext): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'device-'))
  t.teardown(() => rm(path, { recursive: true }))
  return path
}

const trained = ['mlp_trained', 'model.onnx'] as const
const input = fixture('mlp_trained', 'input_0.pb')

test('with --device auto a command tells what was chosen, and why', async (t) => {
  const out = await folder(t)
  const common = ['--input', input, '--device', 'auto']
  for (const command of ['ntk', 'jacobian', 'features']) {
    const place = ['--out', join(out, command === 'ntk' ? 'K.npy' : command)]
    const told = await cli(command, fixture(...trained), ...common, ...place, '--json')
    const { device } = JSON.parse(told.stdout)
    t.is(device?.name, 'cpu', told.stderr)
    t.regex(device.why, /card|compiled|driver/)
    if (command !== 'ntk') continue
    const { stdout } = await cli(command, fixture(...trained), ...common, ...place)
    t.regex(stdout, /^Device cpu: /m)
  }
})

test('info lists the nodes that the processor serves in place of a device', async (t) => {
  const file = join(await folder(t), 'product.onnx')
  await writeFile(
    file,
    model({
      nodes: [
        { op: 'Mul', name: 'scale', inputs: ['x', 's'], outputs: ['h'] },
        {
          ...{ op: 'ReduceProd', name: 'all', inputs: ['h'], outputs: ['y'] },
          attributes: { axes: [1], keepdims: 1 },
        },
      ],
      initializers: { s: floats([3], [1, 2, 3]) },
      inputs: [{ name: 'x', shape: ['N', 3] }],
      outputs: [{ name: 'y', shape: ['N', 1] }],
    }),
  )
  const told = await cli('info', file, '--device', 'emulated', '--json')
  const { nodes, onHost } = JSON.parse(told.stdout).device
  t.deepEqual([nodes, onHost], [2, [{ node: 'all', operator: 'ReduceProd' }]], told.stderr)
  const { stdout } = await cli('info', file, '--device', 'emulated')
  t.regex(stdout, /1 of 2 nodes .*; the processor serves\n {2}all +ReduceProd\n/)
})
