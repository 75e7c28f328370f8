// `features`: what it writes is the Jacobian in parts, with all that is needed to put it together again.
import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import test from 'ava'
import { type NdArray, Network, readArray, writeNpy } from '../../lib/index.js'
import { near } from '../support/near.js'
import { floats, model } from '../support/onnx.js'
import { Random } from '../support/random.js'

const main = fileURLToPath(new URL('../../lib/cli/main.js', import.meta.url))
const cli = (...args: string[]) => promisify(execFile)(process.execPath, [main, ...args])

const random = new Random(4)
const [words, positions, width] = [7, 3, 4]
const normals = (...shape: number[]) =>
  floats(shape, random.normals(shape.reduce((product, size) => product * size, 1)))
const network = model({
  inputs: [{ name: 'ids', shape: ['N', positions], type: 'int64' }],
  initializers: {
    e: normals(words, width),
    w: normals(positions * width, 20),
    b: normals(20),
    v: normals(20, 2),
  },
  nodes: [
    { op: 'Gather', inputs: ['e', 'ids'], outputs: ['a'] },
    { op: 'Flatten', inputs: ['a'], outputs: ['f'] },
    { op: 'Gemm', inputs: ['f', 'w', 'b'], outputs: ['g'] },
    { op: 'Tanh', inputs: ['g'], outputs: ['h'] },
    { op: 'MatMul', inputs: ['h', 'v'], outputs: ['y'] },
  ],
  outputs: [{ name: 'y', shape: ['N', 2] }],
})
const n = 5
const ids = {
  data: BigInt64Array.from({ length: n * positions }, (_, e) => BigInt((3 * e + 1) % words)),
  shape: [n, positions],
}

interface Form {
  name: string
  kind: 'dense' | 'factors' | 'rows'
  shape: number[]
  transposed?: boolean
  k?: number
  bias?: string
}

/** X = Σ_t δ_t ⊗ h_t as (N, O, …shape), from what was written. */
async function together(
  form: Form,
  read: (part: string) => Promise<NdArray>,
): Promise<Float64Array> {
  if (form.kind === 'dense') return Float64Array.from((await read('x')).data as Float32Array)
  const delta = await read('delta')
  const [samples = 0, outputs = 0, places = 0, m = 0] = delta.shape
  const h = form.kind === 'factors' ? await read('h') : undefined
  const columns = form.kind === 'rows' ? await read('columns') : undefined
  const k = h ? (h.shape[2] as number) : (form.k as number)
  const result = new Float64Array(samples * outputs * m * k)
  for (let i = 0; i < samples; i += 1) {
    for (let o = 0; o < outputs; o += 1) {
      for (let t = 0; t < places; t += 1) {
        for (let a = 0; a < m; a += 1) {
          for (let b = 0; b < k; b += 1) {
            const other = h
              ? Number(h.data[(i * places + t) * k + b])
              : Number(Number(columns?.data[i * places + t]) === b)
            const place = form.transposed ? b * m + a : a * k + b
            const row = i * outputs + o
            ;(result[row * m * k + place] as number) +=
              Number(delta.data[(row * places + t) * m + a]) * other
          }
        }
      }
    }
  }
  return result
}

test('a folder and a store hold the Jacobian in parts', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'features-'))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  const at = (name: string) => join(folder, name)
  await writeFile(at('m.onnx'), network)
  await writeNpy(at('x.npy'), ids)
  const command = ['features', at('m.onnx'), '--input', at('x.npy')]
  await cli(...command, '--out', at('parts'))
  await cli(...command, '--store', at('F.zarr'), '--tile', '2', '--plan')
  t.true((await readArray(at('F.zarr#e_columns'))).data.every((column) => column === -1))
  const { stdout } = await cli('worker', at('F.zarr'), '--json')
  t.is(JSON.parse(stdout).done, 3)
  const group = JSON.parse(await readFile(at('F.zarr/zarr.json'), 'utf8'))
  const forms: Form[] = group.attributes.features
  const kinds = forms.map(({ name, kind }) => `${name} ${kind}`)
  t.deepEqual(kinds, ['e rows', 'w factors', 'b dense', 'v factors'])
  const entries: (Form & { parameter: string; file: string })[] = JSON.parse(
    await readFile(at('parts/features.json'), 'utf8'),
  )
  const loaded = await Network.load(network)
  t.teardown(() => loaded.dispose())
  for (const [name, truth] of await loaded.jacobian(ids)) {
    const form = forms.find((one) => one.name === name) as Form
    const stored = await together(form, (part) => readArray(at(`F.zarr#${name}_${part}`)))
    near(t, stored, truth.data, 1e-5, `${name} in the store`)
    const written = await together(form, (part) => {
      const entry = entries.find((one) => one.name === `${name}/${part}`)
      t.deepEqual(
        [entry?.parameter, entry?.kind, entry?.transposed, entry?.k],
        [name, form.kind, form.transposed, form.k],
      )
      return readArray(at(`parts/${entry?.file}`))
    })
    near(t, written, truth.data, 1e-5, `${name} in the folder`)
  }
})

test('features of 16 bits leave numbers of columns as they are', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'features-'))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  const at = (name: string) => join(folder, name)
  await writeFile(at('m.onnx'), network)
  await writeNpy(at('x.npy'), ids)
  await cli(
    'features',
    at('m.onnx'),
    '--input',
    at('x.npy'),
    '--store',
    at('H.zarr'),
    '--dtype',
    'float16',
  )
  const columns = await readArray(at('H.zarr#e_columns'))
  t.deepEqual(Array.from(columns.data, Number), Array.from(ids.data, Number))
  const type = async (name: string) =>
    JSON.parse(await readFile(at(`H.zarr/${name}/zarr.json`), 'utf8')).data_type
  t.deepEqual([await type('e_columns'), await type('e_delta')], ['int32', 'float16'])
})
