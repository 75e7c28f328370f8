import { Option } from 'commander'
import { TangentError } from '../core/errors.js'
import { formatBytes } from '../core/memory.js'
import { openArray } from '../io/index.js'
import { Network } from '../network/network.js'
import { openStore, type Store } from '../store/store.js'
import { type CommandDefinition, type CommonOptions, collect } from './define.js'
import { type NumberOptions, normalizeOptions, saidNumbers } from './normalize.js'
import { openInputs, placedInputs } from './samples.js'
import {
  leaseOption,
  movedAlong,
  type Origin,
  queueOption,
  sayComplete,
  tellStatus,
  watchedWork,
} from './store.js'

interface Options extends CommonOptions, NumberOptions {
  model?: string
  input?: string[]
  input2?: string[]
  head?: string
  lease?: number
  queue?: string
  status?: boolean
}

export const workerCommand: CommandDefinition = {
  examples: [
    'worker kernel.zarr',
    'worker kernel.zarr --model model.onnx --input x.npy',
    'worker kernel.zarr --queue redis://localhost:6379',
  ],
  options: [
    new Option('--model <file>', 'the network, where it lies elsewhere on this machine'),
    new Option('--input <file>', 'samples, where they lie elsewhere: as of ntk').argParser(collect),
    new Option('--input2 <file>', 'second samples, where they lie elsewhere').argParser(collect),
    new Option('--head <file>', "weights of each sample's outputs, where they lie elsewhere"),
    ...normalizeOptions(),
    leaseOption(),
    queueOption(),
    new Option('--status', 'tell what is done, and what the queue says'),
  ],
  devices: true,
  async run(session, [path = ''], options: Options) {
    if (options.status) return tellStatus(session, path, options)
    const store = await openStore(path)
    checkBudget(store, options)
    const { network: of, threads, memory, origin } = store.manifest
    const { store: before, ...given } = (origin ?? { store: path }) as Partial<Origin>
    const placed = (file: string) => movedAlong(file, before ?? path, path)
    const model = options.model ?? (of.file === null ? undefined : await placed(of.file))
    if (model === undefined) throw lacking(path, '--model', 'network')
    const network = await Network.load(model, { ...of.options, threads, memory })
    try {
      const read = async (own: string[] | undefined, known: string[] | undefined) => {
        const numbers = { ...given.numbers, ...saidNumbers(options) }
        if (own) return openInputs(own, network, numbers)
        return known && openInputs(await placedInputs(known, network, placed), network, numbers)
      }
      const x = await read(options.input, given.input)
      if (!x) throw lacking(path, '--input', 'samples')
      const second = await read(options.input2, given.input2)
      const weights = options.head ?? (given.heads && (await placed(given.heads)))
      const heads = weights === undefined ? undefined : await openArray(weights)
      await store.use(network, x, second, { heads })
      const report = await watchedWork(session, options, store)
      sayComplete(session, path, report)
      session.result({ store: path, done: report.tiles, ...report })
    } finally {
      await store.close()
      await network.dispose()
    }
  },
}

/** A manifest fixes what each worker takes. */
function checkBudget({ path, manifest }: Store, { threads, memory }: Options): void {
  const other = (name: string, own: string, given: string) =>
    new TangentError(
      'BAD_ARGUMENT',
      `Expected no --${name} other than ${own}, which the store ${path} was begun with, but received ${given}; its tiles would have other last bits`,
    )
  if (threads !== undefined && threads !== manifest.threads) {
    throw other('threads', String(manifest.threads), String(threads))
  }
  if (memory !== undefined && memory !== manifest.memory) {
    throw other('memory', formatBytes(manifest.memory), formatBytes(memory))
  }
}

const lacking = (path: string, option: string, what: string) =>
  new TangentError(
    'BAD_ARGUMENT',
    `Expected ${option}: the store ${path} was made by a program and does not say where the ${what} lie`,
  )
