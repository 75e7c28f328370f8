// What every device's trainings are held to.
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ExecutionContext } from 'ava'
import {
  type DeviceName,
  type NdArray,
  type OptimizerOptions,
  type Training,
  type TrainOptions,
  train,
} from '../../lib/index.js'
import { load, mlp, samples } from '../support/networks.js'
import { Random } from '../support/random.js'

interface Fixture {
  start: Record<string, number[]>
  x: number[]
  labels: number[]
  numbers: number[]
  runs: {
    loss: 'squared' | 'cross-entropy'
    optimizer: 'sgd' | 'adam' | 'adamw'
    model: 'full' | 'fixed' | 'adaptive'
    after: Record<string, Record<string, number[]>>
  }[]
}

const optimizers: Record<string, OptimizerOptions> = {
  sgd: { kind: 'sgd', learningRate: 0.01, momentum: 0.9, weightDecay: 0.01 },
  adam: { kind: 'adam', learningRate: 0.02, weightDecay: 0.01 },
  adamw: { kind: 'adamw', learningRate: 0.02, weightDecay: 0.1 },
}

export async function digits(t: { teardown(fn: () => Promise<void>): void }, seed: number) {
  const random = new Random(seed)
  const network = await load(t, mlp(random, [5, 12, 3]))
  const x = samples(random, [40, 5])
  const target = { data: Int32Array.from({ length: 40 }, () => random.integer(0, 2)), shape: [40] }
  return { network, x, target }
}

export const settings: TrainOptions = {
  optimizer: { kind: 'sgd', learningRate: 0.05, momentum: 0.9 },
  epochs: 6,
  batch: 8,
  schedule: 'cosine',
  seed: 3,
}

export const flat = ({ weights }: Training) =>
  [...weights.values()].flatMap(({ data }) => [...data])

/** Steps of every optimiser, model and loss, against PyTorch's numbers. */
export async function checkSteps(
  t: ExecutionContext,
  batch: number | string,
  device: DeviceName,
): Promise<void> {
  const file = new URL('../../../test/data/training.json', import.meta.url)
  const fixture = JSON.parse(await readFile(file, 'utf8')) as Fixture
  const plain = await load(t, mlp(new Random(1), [4, 6, 3], { batch }))
  const start = new Map<string, NdArray>(
    plain.parameters.map(({ name, shape }) => [
      name,
      { data: Float32Array.from(fixture.start[name] ?? []), shape: [...shape] },
    ]),
  )
  const network = await plain.withParameters(start)
  t.teardown(() => network.dispose())
  const x = { data: Float32Array.from(fixture.x), shape: [8, 4] }
  for (const { loss, optimizer, model, after } of fixture.runs) {
    for (const [steps, truth] of Object.entries(after)) {
      const target =
        loss === 'squared'
          ? { data: Float32Array.from(fixture.numbers), shape: [8, 3] }
          : { data: Int32Array.from(fixture.labels), shape: [8] }
      const { weights } = await train(
        network,
        { x, target },
        {
          loss,
          model,
          device,
          optimizer: optimizers[optimizer] as OptimizerOptions,
          epochs: Number(steps),
          batch: 8,
        },
      )
      for (const [name, values] of Object.entries(truth)) {
        const found = weights.get(name)?.data ?? new Float32Array()
        values.forEach((value, e) => {
          const error = Math.abs((found[e] as number) - value)
          t.true(
            error < 1e-6 * Math.max(1, Math.abs(value)),
            `${loss} ${optimizer} ${model} ${steps} ${name}[${e}]: ${found[e]} ${value}`,
          )
        })
      }
    }
  }
}

/** A training that was stopped and goes on ends at the same bits. */
export async function checkResumed(t: ExecutionContext, device: DeviceName): Promise<void> {
  const { network, x, target } = await digits(t, 6)
  const folder = await mkdtemp(join(tmpdir(), 'training-'))
  t.teardown(() => rm(folder, { recursive: true }))
  for (const model of ['full', 'fixed', 'adaptive'] as const) {
    for (const optimizer of Object.values(optimizers)) {
      const options: TrainOptions = { ...settings, model, optimizer, device, test: { x, target } }
      const whole = await train(network, { x, target }, options)
      const controller = new AbortController()
      const stopped = train(
        network,
        { x, target },
        {
          ...options,
          checkpoints: { folder },
          signal: controller.signal,
          onEpoch: ({ epoch }) => {
            if (epoch === 4) controller.abort()
          },
        },
      )
      const error = await stopped.then(
        () => undefined,
        (reason: unknown) => reason,
      )
      t.is((error as DOMException).name, 'AbortError')
      const resumed = await train(
        network,
        { x, target },
        {
          ...options,
          resume: join(folder, 'state.safetensors'),
        },
      )
      t.deepEqual(flat(resumed), flat(whole))
      t.deepEqual(resumed.history, whole.history)
    }
  }
  const other = { ...settings, model: 'full' as const, resume: join(folder, 'state.safetensors') }
  await t.throwsAsync(train(network, { x, target }, other), { code: 'BAD_FILE' })
}
