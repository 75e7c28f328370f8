// Stores of 16-bit floats: rounded to nearest, read back by everyone, measured, and nothing becomes infinite.
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { createStore, openKernel, openStore, readArray } from '../../lib/index.js'
import { fromBfloat16, fromFloat16, toBfloat16, toFloat16 } from '../../lib/io/ndarray.js'
import { near } from '../support/near.js'
import { load, mlp, samples } from '../support/networks.js'
import { Random } from '../support/random.js'
import { place, sameBits } from './folders.js'

const formats = {
  float16: { to: toFloat16, from: fromFloat16, infinity: 0x7c00, half: 2 ** -11 },
  bfloat16: { to: toBfloat16, from: fromBfloat16, infinity: 0x7f80, half: 2 ** -8 },
} as const
const types = Object.keys(formats) as (keyof typeof formats)[]

for (const type of types) {
  test(`${type}: every number is its own, those between go to the nearest, ties to even`, (t) => {
    const { to, from, infinity } = formats[type]
    const bits = Uint16Array.from({ length: infinity }, (_, k) => k)
    const exact = Float64Array.from(from(bits))
    t.deepEqual(to(exact), bits)
    t.deepEqual(
      to(exact.map((value) => -value)),
      bits.map((k) => k | 0x8000),
    )
    // The next number after the largest would be where infinity stands.
    const next = (k: number) =>
      k + 1 < infinity
        ? (exact[k + 1] as number)
        : 2 * (exact[k] as number) - (exact[k - 1] as number)
    const at = (share: number) => to(exact.map((value, k) => value + share * (next(k) - value)))
    t.deepEqual(
      at(0.5),
      bits.map((k) => k + (k % 2)),
    )
    t.deepEqual(at(0.4999), bits)
    t.deepEqual(
      at(0.5001),
      bits.map((k) => k + 1),
    )
    const wide = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 1e300, 1e-300, -0]
    t.deepEqual([...to(wide)], [infinity, infinity | 0x8000, infinity, 0, 0x8000])
    t.true(Number.isNaN(from(to([Number.NaN]))[0]))
  })
}

const random = new Random(5)
const bytes = mlp(random, [5, 9, 3])
const x = samples(random, [13, 5])
const request = { kind: 'ntk', kernel: 'trace', x } as const
const opened = (t: ExecutionContext) => load(t, bytes, { threads: 1, memory: '100MB' })

for (const dtype of types) {
  test(`a store of ${dtype}: half the disk, the nearest numbers, and their error told`, async (t) => {
    const network = await opened(t)
    const path = await place(t)
    const options = { tile: 4, dtype }
    const store = await createStore(path, network, request, options)
    const before = await store.estimate()
    t.is(before.bytes, 16 * (4 * 4 * 2 + 4))
    t.true((before.rounding?.relative ?? 1) < formats[dtype].half)
    t.true(Number.isNaN((await readArray(path)).data[0]), 'what is not there is no number')
    const { rounding } = await store.work()
    const exact = Float64Array.from((await network.ntk(x, { kernel: 'trace' })).data)
    const found = await readArray(path)
    const { half } = formats[dtype]
    let [errors, squares] = [0, 0]
    for (const [e, value] of exact.entries()) {
      const kept = Number(found.data[e])
      t.true(Math.abs(kept - value) <= half * Math.abs(value) * (1 + 1e-3), `${kept} ${value}`)
      errors += (kept - value) ** 2
      squares += value ** 2
    }
    t.is(rounding?.dtype, dtype)
    near(t, rounding?.relative, Math.sqrt(errors / squares), 1e-2)
    t.true((rounding?.largest ?? 1) <= half && (rounding?.largest ?? 0) > half / 4)
    t.deepEqual([rounding?.tiles, rounding?.vanished], [10, 0])
    t.deepEqual((await (await openStore(path)).status()).rounding, rounding)

    const kernel = await openKernel(path)
    near(t, await kernel.norm(), Math.hypot(...Float64Array.from(found.data as Float32Array)), 1e-6)
    // As others read it: zarr's name of the type, and the bits in a chunk.
    const metadata = JSON.parse(await readFile(join(path, 'zarr.json'), 'utf8'))
    t.deepEqual([metadata.data_type, metadata.fill_value], [dtype, 'NaN'])
    const chunk = await readFile(join(path, 'c/0/0'))
    const [first] = formats[dtype].from(Uint16Array.of(chunk.readUInt16LE(0)))
    t.is(first, Number(found.data[0]))

    // Damaged and gone on: the same bits.
    const whole = await place(t)
    await (await createStore(whole, network, request, options)).work()
    await writeFile(join(path, 'c/2/1'), 'x')
    await (await createStore(path, network, request, options)).work()
    t.true(await sameBits(path, whole))
    await t.throwsAsync(createStore(path, network, request, { dtype: 'float32' }), {
      message: new RegExp(`^Expected dtype ${dtype}, as the store .* but received float32$`),
    })
  })
}

test('a number beyond the range never becomes infinite', async (t) => {
  const network = await opened(t)
  const large = { data: x.data.map((value, e) => (e < 60 ? value : 1000 * value)), shape: x.shape }
  const own = { ...request, x: large }
  const store = await createStore(await place(t), network, own, { tile: 4, dtype: 'float16' })
  const error = await t.throwsAsync(store.work(), { code: 'NUMERICAL' })
  t.regex(error?.message ?? '', /^Expected numbers up to 65504, the largest of float16, but total/)
  t.regex(error?.message ?? '', /has \d.*; a store of bfloat16 or float32 holds it/)
  // Told before days of work where the first samples show it.
  const early = { ...own, x: { data: x.data.map((value) => 1000 * value), shape: x.shape } }
  const plan = await createStore(await place(t), network, early, { tile: 4, dtype: 'float16' })
  await t.throwsAsync(plan.estimate(), { code: 'NUMERICAL' })
  const wide = await createStore(await place(t), network, own, { tile: 4, dtype: 'bfloat16' })
  t.is((await wide.work()).computed, 10)
  const wrong = { dtype: 'int8' } as unknown as { dtype: 'float16' }
  await t.throwsAsync(createStore(await place(t), network, own, wrong), { code: 'BAD_ARGUMENT' })
})

test('numbers that become 0 are counted', async (t) => {
  const network = await opened(t)
  const small = samples(new Random(6), [6, 5])
  const path = await place(t)
  const whole = {
    kind: 'jacobian',
    x: { ...small, data: small.data.map((v) => v * 1e-9) },
  } as const
  const store = await createStore(path, network, whole, { dtype: 'float16' })
  const { rounding } = await store.work()
  t.is(rounding?.largest, 1)
  let zeros = 0
  for (const [name, { data }] of await network.jacobian(whole.x)) {
    const found = await readArray(`${path}#${name}`)
    for (const [e, value] of data.entries()) if (value !== 0 && found.data[e] === 0) zeros += 1
  }
  t.true(zeros > 0)
  t.is(rounding?.vanished, zeros)
})
