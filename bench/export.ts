// The exported model compared with the network itself in onnxruntime: processor time of one batch on one thread,
// turn by turn, so that other work on the machine counts for little. `npm run bench -- export [SAMPLES [RANK]]`.
import { readFile } from 'node:fs/promises'
import { cpus } from 'node:os'
import { InferenceSession, Tensor } from 'onnxruntime-node'
import type { ParameterChange } from '../lib/export/change.js'
import { exportModel } from '../lib/export/model.js'
import { isThin } from '../lib/export/thin.js'
import { buildMlp, Network, type Parameter } from '../lib/index.js'
import { cores } from '../lib/model/core.js'
import { Random } from '../test/support/random.js'
import { cnn } from './models.js'

const [samples = 64, rank = 10] = process.argv.slice(2).map(Number)
const print = (line = '') => process.stdout.write(`${line}\n`)
const fixture = (name: string) => readFile(`test/fixtures/${name}/model.onnx`)
const random = new Random(5)

const networks: [string, () => Promise<Uint8Array> | Uint8Array][] = [
  ['MLP 784-1024-1024-10', () => buildMlp({ inputs: 784, hidden: [1024, 1024], outputs: 10 })],
  ['CNN width 16, 32×32×3', () => cnn(16).bytes],
  ['CNN width 64, 32×32×3', () => cnn(64).bytes],
  ['resnet8', () => fixture('resnet8')],
  ['resnet8_bn', () => fixture('resnet8_bn')],
  ['mobilenet', () => fixture('mobilenet')],
  ['vit', () => fixture('vit')],
  ['text', () => fixture('text')],
]

function changes(parameters: readonly Parameter[], thin: boolean): Map<string, ParameterChange> {
  const numbers = (shape: number[]) => ({
    data: random.normals(shape.reduce((product, size) => product * size, 1)),
    shape,
  })
  return new Map(
    parameters.map(({ name, shape: [m = 1, ...rest] }): [string, ParameterChange] => {
      const k = rest.reduce((product, size) => product * size, 1)
      return thin && rest.length > 0 && isThin(m, k, rank)
        ? [name, { left: numbers([m, rank]), right: numbers([rank, k]) }]
        : [name, numbers([m, ...rest])]
    }),
  )
}

/** Seconds of processor time of each session's run, taken turn by turn: the median of many. */
async function times(sessions: InferenceSession[], x: Tensor): Promise<number[]> {
  const taken: number[][] = sessions.map(() => [])
  const start = performance.now()
  for (let round = 0; round < 300 && (round < 10 || performance.now() - start < 8000); round += 1) {
    for (const [k, session] of sessions.entries()) {
      const before = process.cpuUsage()
      await session.run({ [session.inputNames[0] as string]: x })
      const { user, system } = process.cpuUsage(before)
      taken[k]?.push((user + system) / 1e6)
    }
  }
  return taken.map((list) => list.sort((a, b) => a - b)[Math.floor(list.length / 2)] as number)
}

print(`${cpus()[0]?.model}, one thread; N = ${samples}, rank ${rank}`)
print('network'.padEnd(24) + ['forward', 'thin B', 'full B'].map((t) => t.padStart(18)).join(''))
for (const [title, source] of networks) {
  const bytes = await source()
  await using network = await Network.load(bytes)
  const core = cores.get(network)
  if (!core) throw new Error('The network has no core')
  const [input] = network.inputs
  const shape = [samples, ...(input?.shape ?? []).slice(1).map(Number)]
  const count = shape.reduce((product, size) => product * size, 1)
  const x =
    input?.type === 'int64'
      ? new Tensor(
          'int64',
          BigInt64Array.from({ length: count }, (_, e) => BigInt(e % 7)),
          shape,
        )
      : new Tensor('float32', random.normals(count), shape)
  const files = [bytes]
  for (const thin of [true, false]) {
    const note = { docString: '', metadata: {} }
    const wanted = { changes: changes(network.parameters, thin), form: 'sum', note } as const
    files.push(await exportModel(core, wanted))
  }
  const options = { intraOpNumThreads: 1, logSeverityLevel: 4 } as const
  const sessions = await Promise.all(files.map((file) => InferenceSession.create(file, options)))
  const [forward = 0, ...others] = await times(sessions, x)
  const cells = others.map((t) => `${(1000 * t).toFixed(2)} ms ${(t / forward).toFixed(2)}×`)
  print(
    title.padEnd(24) +
      [`${(1000 * forward).toFixed(2)} ms`, ...cells].map((text) => text.padStart(18)).join(''),
  )
}
