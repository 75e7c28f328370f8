// The command jvp: numbers and the exported network agree.
import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import { InferenceSession, Tensor } from 'onnxruntime-node'
import { readNpy, writeNpy, writeSafetensors } from '../../lib/index.js'
import { near } from '../support/near.js'
import { load, mlp } from '../support/networks.js'
import { Random } from '../support/random.js'

const main = fileURLToPath(new URL('../../lib/cli/main.js', import.meta.url))

function run(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  return new Promise((resolve) => {
    execFile(process.execPath, [main, 'jvp', ...args], (error, stdout, stderr) => {
      resolve({ code: error ? Number(error.code) : 0, stdout, stderr })
    })
  })
}

test('jvp writes the derivative along a direction, as numbers and as a network', async (t) => {
  const dir = await mkdtemp(join(tmpdir(), 'jvp-'))
  t.teardown(() => rm(dir, { recursive: true }))
  const at = (name: string) => join(dir, name)
  const random = new Random(4)
  const bytes = mlp(random, [3, 5, 4])
  const network = await load(t, bytes)
  const x = { data: random.normals(6), shape: [2, 3] }
  const direction = new Map([
    ['l.0.weight', { data: random.normals(15), shape: [5, 3] }],
    ['l.1.bias', { data: random.normals(4), shape: [4] }],
  ])
  await writeFile(at('net.onnx'), bytes)
  await writeNpy(at('x.npy'), x)
  await writeSafetensors(at('d.safetensors'), direction)
  const given = [at('net.onnx'), '--direction', at('d.safetensors'), '--outputs', '3,1']
  const done = await run(
    ...[
      ...given,
      '--input',
      at('x.npy'),
      '--out',
      at('y.npy'),
      '--export',
      at('jvp.onnx'),
      '--json',
    ],
  )
  t.is(done.code, 0, done.stderr)
  t.deepEqual(JSON.parse(done.stdout).shape, [2, 2])
  const truth = await network.jvp(x, direction, { outputs: [3, 1] })
  const own = await readNpy(at('y.npy'))
  t.deepEqual([...own.data], [...truth.data])
  const session = await InferenceSession.create(at('jvp.onnx'))
  t.deepEqual(session.outputNames, ['tangent', 'value'])
  const { tangent } = await session.run({ x: new Tensor('float32', x.data, x.shape) })
  t.deepEqual(tangent?.dims, [2, 2])
  near(t, tangent?.data, truth.data, { absolute: 1e-6 })

  for (const [args, message] of [
    [given, /Expected --out, --export or both/],
    [[...given, '--out', at('z.npy')], /Expected --input and --out together/],
  ] as const) {
    const { code, stderr } = await run(...args)
    t.is(code, 2)
    t.regex(stderr, message)
  }
})
