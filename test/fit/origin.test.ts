// A fitted model knows the network that it belongs to; the export of weights says what it is.
import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import type { NetworkModel } from '../../lib/fit/network.js'
import { decodeModel, encodeModel } from '../../lib/fit/storage.js'
import { fitByProducts, fitFixed, loadModel, saveModel, writeNpy } from '../../lib/index.js'
import { decodeSafetensors, encodeSafetensors, readBytes } from '../../lib/io/index.js'
import { decodeModel as decodeOnnx } from '../../lib/onnx/index.js'
import { near } from '../support/near.js'
import { load, mlp, samples } from '../support/networks.js'
import { Random } from '../support/random.js'

const main = fileURLToPath(new URL('../../lib/cli/main.js', import.meta.url))

async function folder(t: { teardown(fn: () => Promise<void>): void }) {
  const dir = await mkdtemp(join(tmpdir(), 'adaptive-tangent-'))
  t.teardown(() => rm(dir, { recursive: true }))
  return (name: string) => join(dir, name)
}

async function fitted(t: { teardown(fn: () => Promise<void>): void }) {
  const random = new Random(1)
  const bytes = mlp(random, [4, 6, 2])
  const network = await load(t, bytes)
  const x = samples(random, [7, 4])
  const y = samples(random, [7, 2])
  return { bytes, network, x, y, model: await fitFixed(network, x, y, { ridge: 0.1 }) }
}

test('another network, other weights and another output are refused in every use', async (t) => {
  const at = await folder(t)
  const { bytes, network, x, y, model } = await fitted(t)
  await saveModel(at('model.safetensors'), model)
  const stored = (await loadModel(at('model.safetensors'))) as NetworkModel
  const again = await load(t, bytes)
  const truth = await model.predict(network, x)
  near(t, await stored.predict(again, x), truth, 0)
  // The same numbers out of another file are the same network.
  const copy = await load(t, await network.toOnnx())
  near(t, await stored.predict(copy, x), truth, 0)

  const weight = network.weight('l.0.weight')
  weight.data[3] = (weight.data[3] as number) + 1e-3
  const moved = await network.withParameters(new Map([['l.0.weight', weight]]))
  t.teardown(() => moved.dispose())
  const bent = await load(t, mlp(new Random(1), [4, 6, 2], { relu: false }))
  const hidden = await load(t, bytes, { output: 'h0' })
  for (const products of [false, true]) {
    const own = products ? await fitByProducts(network, x, y, { ridge: 0.1 }) : stored
    for (const [other, message] of [
      [moved, /has other weights/],
      [bent, /is another network/],
      [hidden, /loaded for the output "h0"/],
    ] as const) {
      const refused = { code: 'BAD_ARGUMENT', message }
      await t.throwsAsync(own.predict(other, x), refused)
      await t.throwsAsync(own.features(other, x), refused)
      await t.throwsAsync(own.kernel(other, x), refused)
      await t.throwsAsync(own.decompose(other, x), refused)
      await t.throwsAsync(own.weights(other), refused)
      await t.throwsAsync(own.exportOnnx(other, at('none.onnx')), refused)
      await t.throwsAsync(own.exportDifference(other, x), refused)
    }
  }
})

test.serial('a file of version 0.1.0 loads with one warning', async (t) => {
  const { network, x, model } = await fitted(t)
  const { tensors, metadata } = decodeSafetensors(encodeModel(model), 'model')
  const header = JSON.parse(metadata.model as string)
  delete header.network.origin
  delete header.network.classes
  const old = Buffer.concat(
    encodeSafetensors(tensors, { ...metadata, model: JSON.stringify(header) }),
  )
  const warnings: Error[] = []
  const listen = (warning: Error) => warnings.push(warning)
  process.on('warning', listen)
  t.teardown(() => process.off('warning', listen))
  const stored = decodeModel(old, 'old.safetensors') as NetworkModel
  near(t, await stored.predict(network, x), await model.predict(network, x), 0)
  await stored.predict(network, x)
  await new Promise((resolve) => setImmediate(resolve))
  t.is(warnings.length, 1)
  t.regex(warnings[0]?.message ?? '', /old\.safetensors does not say which network/)
  header.network.origin = { file: 'x' }
  const odd = Buffer.concat(
    encodeSafetensors(tensors, { ...metadata, model: JSON.stringify(header) }),
  )
  t.throws(() => decodeModel(odd, 'odd'), { code: 'BAD_FILE' })
})

test.serial('the exported weights say what they are, and how far from the model', async (t) => {
  const at = await folder(t)
  const { network, bytes, x, y, model } = await fitted(t)
  const fit = await model.predict(network, x)
  await using changed = await network.withParameters(await model.weights(network))
  const weights = await changed.run(x)
  let [difference, size] = [0, 0]
  fit.data.forEach((value, r) => {
    difference += (Number(weights.data[r]) - value) ** 2
    size += value ** 2
  })
  const truth = Math.sqrt(difference / size)
  t.true(truth > 0.01)
  near(t, await model.exportDifference(network, x), truth, 1e-6)

  await writeFile(at('net.onnx'), bytes)
  await writeNpy(at('x.npy'), x)
  await writeNpy(at('y.npy'), y)
  const args = [
    ...[main, 'fit', at('net.onnx'), '--input', at('x.npy'), '--target', at('y.npy')],
    ...['--features', 'fixed', '--ridge', '0.1', '--predict', at('x.npy')],
    ...['--export', at('out.onnx'), '--export-form', 'weights', '--out', at('fit')],
  ]
  const { stdout } = await new Promise<{ stdout: string }>((resolve, reject) => {
    execFile(process.execPath, args, (error, text) =>
      error ? reject(error) : resolve({ stdout: text }),
    )
  })
  t.regex(stdout, /computes f\(x; θ0 \+ Δ\).*the fitted model is f\(x; θ0\) \+ ⟨X, B⟩/)
  t.regex(stdout, new RegExp(`differ by ${truth.toPrecision(2)}\\d* times`))
  const summary = JSON.parse(readFileSync(at('fit/summary.json'), 'utf8'))
  t.is(summary.export.form, 'weights')
  near(t, summary.export.relative_difference.input, truth, 1e-4)
  t.is(summary.export.relative_difference.predict, summary.export.relative_difference.input)
  const { proto } = decodeOnnx(await readBytes(at('out.onnx')))
  t.regex(proto.docString, /computes f\(x; θ0 \+ Δ\)/)
  const found = new Map(proto.metadataProps.map(({ key, value }) => [key, value]))
  t.is(found.get('adaptive_tangent.form'), 'weights')
})
