// The public calls whose results leave in tiles, and jobs, as in public-calls.ts.
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  createStore,
  describeJob,
  type JobDescription,
  MemorySink,
  type NdArray,
  type Network,
  openKernel,
  openStore,
  readJob,
  runJob,
  transposed,
  writeJob,
} from '../../lib/index.js'
import type { Call } from './public-calls.js'

// biome-ignore lint/suspicious/noExplicitAny: wrong arguments are the matter here.
type Any = any

const part = { data: new Float32Array(6), shape: [2, 3] }
let job: JobDescription

const places = new Set<string>()

function place(): string {
  const path = join(tmpdir(), `store-${process.pid}-${places.size}.zarr`)
  places.add(path)
  return path
}

async function made(...given: Parameters<typeof createStore>): Promise<void> {
  const store = await createStore(...given)
  await rm(store.path, { recursive: true })
}

export async function setUpJobs(network: Network, x: NdArray): Promise<void> {
  job = await describeJob(network, { kind: 'ntk', x })
}

/** @param names of options: of all calls, of derivatives and of kernels. */
export function jobCalls(
  network: () => Network,
  x: NdArray,
  [common, derivative, kernelOptions]: readonly [string, string, string],
): Record<string, Call> {
  return {
    'ntk to a sink': {
      args: () => [x, { sink: { write() {} } }],
      call: (...a) => network().ntk(...(a as [Any, Any])),
      options: `${kernelOptions} sink tile`,
    },
    'jacobian to a sink': {
      args: () => [x, { sink: new MemorySink() }],
      call: (...a) => network().jacobian(...(a as [Any, Any])),
      options: `${derivative} sink tile`,
    },
    'features to a sink': {
      args: () => [x, { sink: new MemorySink() }],
      call: (...a) => network().features(...(a as [Any, Any])),
      options: `${derivative} sink tile`,
    },
    'run to a sink': {
      args: () => [x, { sink: new MemorySink() }],
      call: (...a) => network().run(...(a as [Any, Any])),
      options: `${common} output outputs sink tile`,
    },
    describeJob: {
      args: () => [network(), { kind: 'ntk', x }],
      call: (...a) => describeJob(...(a as [Any, Any])),
      options: `${kernelOptions.replace('signal onProgress ', '')} kind x x2`,
    },
    runJob: {
      args: () => [structuredClone(job), { network: network() }],
      call: (...a) => runJob(...(a as [Any, Any])),
      options: 'network signal onProgress sink tile',
    },
    'runJob, parts': {
      args: () => [{ ...job }],
      call: (a) => runJob(a as Any, { network: network() }),
      options:
        'format digest device network x x2 outputs threads memory block outputBlock nonFinite job results',
    },
    writeJob: {
      args: () => [join(tmpdir(), `job-${process.pid}`), job],
      call: async (folder, one) => {
        await writeJob(folder, one)
        await rm(folder, { recursive: true })
      },
    },
    readJob: {
      args: () => ['test/fixtures'],
      call: (folder) => readJob(folder),
    },
    createStore: {
      args: () => [place(), network(), { kind: 'ntk', x }],
      call: (...a) => made(...(a as [Any, Any, Any])),
      options: `${kernelOptions.replace('signal onProgress ', '')} kind x x2`,
    },
    'createStore, options': {
      args: () => [place(), network(), { kind: 'ntk', x }, {}],
      call: (...a) => made(...(a as [Any, Any, Any])),
      options: 'tile group half signal',
    },
    openStore: {
      args: () => [place(), network(), x],
      call: async (path, ...used) => {
        if (places.has(path)) await createStore(path, network(), { kind: 'ntk', x })
        const store = await openStore(path)
        await store.use(...(used as [Any, Any])).finally(() => rm(path, { recursive: true }))
      },
    },
    openKernel: {
      args: () => ['test/fixtures/cnn/ntk.pb', {}],
      call: async (...a) => (await openKernel(...(a as [Any, Any]))).close(),
      options: 'output signal',
    },
    'StoredKernel.measures': {
      args: () => [{ count: 1 }],
      call: async (options) => (await openKernel('test/fixtures/cnn/ntk.pb')).measures(options),
      options: 'count tolerance maxIterations seed threads signal onProgress',
    },
    'Store.work': {
      args: () => [{}],
      call: async (options) => {
        const store = await createStore(place(), network(), { kind: 'ntk', x })
        await store.work(options).finally(() => rm(store.path, { recursive: true }))
      },
      options: 'signal onProgress lease',
    },
    transposed: {
      args: () => [part, 1],
      call: (...a) => transposed(...(a as [Any, Any])),
    },
  }
}
