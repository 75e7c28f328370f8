// What a caller writes into its arrays after a call has begun must not count, wherever they lie.
import test from 'ava'
import {
  alignmentAlong,
  averageKernel,
  fitAdaptive,
  KernelFactor,
  KernelSpectrum,
  type NdArray,
  Network,
  networkFeatures,
  probe,
  probeTraining,
  solveKernel,
  TangentError,
  type TrainOptions,
  train,
} from '../../lib/index.js'
import { mlp } from '../support/networks.js'
import { Random } from '../support/random.js'

const random = new Random(11)
const file = mlp(random, [5, 7, 3])
const numbers = (...shape: number[]): NdArray<Float32Array> => ({
  data: random.normals(shape.reduce((product, size) => product * size, 1)),
  shape,
})
const x = numbers(6, 5)
let network: Network
let other: Network
let factor: KernelFactor
let spectrum: KernelSpectrum
test.before(async () => {
  network = await Network.load(file)
  other = await network.withParameters(direction)
  factor = await KernelFactor.of(kernel, 0.1)
  spectrum = await KernelSpectrum.of(kernel)
})
test.after.always(async () => {
  await network.dispose()
  await other.dispose()
})
const direction = new Map([
  ['l.0.weight', numbers(7, 5)],
  ['l.0.bias', numbers(7)],
  ['l.1.weight', numbers(3, 7)],
  ['l.1.bias', numbers(3)],
])
/** Symmetric and positive definite. */
const kernel = Float32Array.from({ length: 324 }, (_, e) => {
  const [i, j] = [Math.floor(e / 18), e % 18]
  return Math.exp(-Math.abs(i - j) / 3)
})

type Arrays = Record<string, NdArray<Float32Array>>
/** The arrays that a call takes, and the call. */
const calls: Record<string, [Arrays, (arrays: Arrays) => Promise<unknown>]> = {
  run: [{ x }, ({ x }) => network.run(x as NdArray)],
  ntk: [{ x, x2: numbers(2, 5) }, async ({ x, x2 }) => (await network.ntk(x as NdArray, x2)).data],
  jacobian: [{ x }, ({ x }) => network.jacobian(x as NdArray)],
  features: [{ x }, ({ x }) => network.features(x as NdArray)],
  vjp: [{ x, u: numbers(6, 3) }, ({ x, u }) => network.vjp(x as NdArray, u as NdArray)],
  ntkProduct: [
    { x, v: numbers(6, 3) },
    ({ x, v }) => network.ntkProduct(x as NdArray, v as NdArray),
  ],
  kernelOperator: [
    { x },
    async ({ x }) =>
      (await network.kernelOperator(x as NdArray)).product(new Float64Array(18).fill(1)),
  ],
  jvp: [
    { x, ...Object.fromEntries(direction) },
    ({ x, ...rest }) => network.jvp(x as NdArray, new Map(Object.entries(rest))),
  ],
  normalProduct: [
    { x, ...Object.fromEntries(direction) },
    ({ x, ...rest }) => network.normalProduct(x as NdArray, new Map(Object.entries(rest))),
  ],
  linearize: [
    { x, ...Object.fromEntries(direction) },
    ({ x, ...rest }) => network.linearize().predict(x as NdArray, new Map(Object.entries(rest))),
  ],
  withParameters: [
    Object.fromEntries(direction),
    async (weights) => {
      const changed = await network.withParameters(new Map(Object.entries(weights)))
      const y = await changed.run(x)
      await changed.dispose()
      return y
    },
  ],
  averageKernel: [
    { x },
    async ({ x }) => (await averageKernel(network, other, x as NdArray, { points: 2 })).kernel.data,
  ],
  networkFeatures: [
    { x },
    async ({ x }) => {
      const { features } = await networkFeatures(network, x as NdArray)
      return features.kernel()
    },
  ],
  fitAdaptive: [
    { x, y: numbers(6, 3) },
    async ({ x, y }) => {
      const options = { maxIterations: 3, ridge: 0.1 } as const
      return (await fitAdaptive(network, x as NdArray, y as NdArray, options)).model.objective
    },
  ],
  train: [
    { x, target: numbers(6, 3) },
    async ({ x, target }) => {
      const data = { x: x as NdArray, target: target as NdArray }
      const optimizer = { kind: 'sgd', learningRate: 0.05 } as const
      const options = { loss: 'squared', optimizer, epochs: 2, batch: 2 }
      return (await train(network, data, options as TrainOptions)).weights
    },
  ],
  solveKernel: [
    { k: { data: kernel, shape: [18, 18] }, y: numbers(18) },
    async ({ k, y }) =>
      (await solveKernel(k as NdArray, (y as NdArray<Float32Array>).data, { ridge: 0.1 })).alpha,
  ],
  KernelFactor: [
    { k: { data: kernel, shape: [18, 18] } },
    async ({ k }) => (await KernelFactor.of(k as NdArray, 0.1)).logDeterminant,
  ],
  'KernelFactor.leaveOneOut': [
    { y: numbers(18) },
    ({ y }) => factor.leaveOneOut((y as NdArray<Float32Array>).data),
  ],
  KernelSpectrum: [
    { k: { data: kernel, shape: [18, 18] } },
    async ({ k }) => (await KernelSpectrum.of(k as NdArray)).values,
  ],
  'KernelSpectrum.chooseRidge': [
    { y: numbers(18) },
    ({ y }) => spectrum.chooseRidge((y as NdArray<Float32Array>).data),
  ],
  probe: [
    { x, target: numbers(6, 3) },
    async ({ x, target }) => {
      const subject = { name: 'a', network, file: 'a' } as never
      const options = { adaptiveRows: 0 }
      const report = await probe([subject], x as NdArray, target, options)
      return [report.networks[0]?.alignment, report.networks[0]?.spectrum, report.targetRaster]
    },
  ],
  probeTraining: [
    { x, target: numbers(6, 3) },
    async ({ x, target }) =>
      (await probeTraining(network, x as NdArray, [network, other], target)).frames,
  ],
  alignmentAlong: [
    { x, target: numbers(6, 3), learned: numbers(6, 3) },
    async ({ x, target, learned }) => {
      const along = alignmentAlong(network, x as NdArray, [network, other], { target, learned })
      const found = []
      for await (const { total } of along) found.push({ ...total })
      return found
    },
  ],
}
const copies = (arrays: Arrays, place: (data: Float32Array) => Float32Array): Arrays =>
  Object.fromEntries(
    Object.entries(arrays).map(([name, { data, shape }]) => [name, { data: place(data), shape }]),
  )

const places: Record<string, (data: Float32Array) => Float32Array> = {
  'plain memory': (data) => data.slice(),
  'shared memory': (data) => {
    const own = new Float32Array(new SharedArrayBuffer(data.byteLength))
    own.set(data)
    return own
  },
  'resizable memory': (data) => {
    const Resizable = ArrayBuffer as unknown as new (
      bytes: number,
      options: { maxByteLength: number },
    ) => ArrayBuffer
    const own = new Float32Array(new Resizable(data.byteLength, { maxByteLength: 2 ** 20 }))
    own.set(data)
    return own
  },
}

for (const [name, [arrays, call]] of Object.entries(calls)) {
  test(`${name} takes its arrays as they are when it is called`, async (t) => {
    const truth = await call(copies(arrays, (data) => data.slice()))
    for (const [where, place] of Object.entries(places)) {
      const own = copies(arrays, place)
      const pending = call(own)
      for (const { data } of Object.values(own)) data.fill(7)
      t.deepEqual(await pending, truth, where)
    }
  })

  test(`${name} refuses arrays whose memory is gone`, async (t) => {
    for (const lost of Object.keys(arrays)) {
      const own = copies(arrays, (data) => data.slice())
      structuredClone(own[lost]?.data, { transfer: [own[lost]?.data.buffer as ArrayBuffer] })
      const error = await t.throwsAsync(async () => call(own), { instanceOf: TangentError })
      t.regex((error as TangentError).code, /^BAD_/, lost)
    }
  })
}
