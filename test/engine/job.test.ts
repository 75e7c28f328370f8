// Jobs as plain data: stored, run in another process to the same bits, distinguished by their digest.
import { execFile } from 'node:child_process'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import test, { type ExecutionContext } from 'ava'
import {
  describeJob,
  type JobDescription,
  type JobRequest,
  MemorySink,
  type NdArray,
  readJob,
  readSafetensors,
  runJob,
  writeJob,
} from '../../lib/index.js'
import { checkFields } from '../../lib/runtime/jobs/fields.js'
import { jobKinds } from '../../lib/runtime/jobs/index.js'
import { load, mlp, samples } from '../support/networks.js'
import { Random } from '../support/random.js'
import { reference } from '../support/reference.js'

const child = fileURLToPath(new URL('../support/run-job.js', import.meta.url))

async function folderOf(t: ExecutionContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'job-'))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  return folder
}

const bits = ({ data }: NdArray) => Buffer.from(data.buffer, data.byteOffset, data.byteLength)

async function elsewhere(t: ExecutionContext, job: JobDescription): Promise<Map<string, NdArray>> {
  const folder = await folderOf(t)
  await writeJob(folder, job)
  const out = join(folder, 'out.safetensors')
  await promisify(execFile)(process.execPath, [child, folder, out])
  return (await readSafetensors(out)).tensors
}

test('a stored job runs in another process to the same bits', async (t) => {
  const { model, input } = await reference('mlp_init')
  const network = await load(t, model, { frozen: 'net.9.bias', threads: 2, memory: '300MB' })
  const random = new Random(1)
  const count = input.shape[0] as number
  const cotangents = samples(random, [count, 10])
  const direction = new Map([
    ['net.9.weight', samples(random, network.weight('net.9.weight').shape)],
  ])
  const x = input
  const kernel = await network.ntk(x, x, { kernel: 'trace', by: 'layer', method: 'structured' })
  const cases: [JobRequest, Map<string, NdArray>][] = [
    [{ kind: 'ntk', x, x2: x, kernel: 'trace', by: 'layer', method: 'structured' }, kernel],
    [{ kind: 'jacobian', x, outputs: [3, 1] }, await network.jacobian(x, { outputs: [3, 1] })],
    [{ kind: 'vjp', x, cotangents }, await network.vjp(x, cotangents)],
    [{ kind: 'jvp', x, direction }, new Map([['product', await network.jvp(x, direction)]])],
  ]
  for (const [request, truth] of cases) {
    const job = await describeJob(network, request)
    const found = await elsewhere(t, job)
    t.deepEqual([...found.keys()].sort(), [...truth.keys()].sort(), request.kind)
    for (const [name, array] of truth) {
      t.true(bits(found.get(name) as NdArray).equals(bits(array)), `${request.kind} ${name}`)
    }
    t.deepEqual(structuredClone(job), job, 'plain data')
  }
})

test('a job fills a sink, which knows it by its digest', async (t) => {
  const { model, input } = await reference('mlp_init')
  const network = await load(t, model)
  const job = await describeJob(network, { kind: 'ntk', x: input, kernel: 'trace' })
  const sink = new MemorySink()
  const { computed } = await runJob(job, { network, sink, tile: 3 })
  t.true(computed > 1)
  t.is((await network.ntk(input, { kernel: 'trace', sink, tile: 3 })).computed, 0)
  await t.throwsAsync(network.ntk(input, { sink, tile: 3 }), { code: 'BAD_ARGUMENT' })
})

test('a job runs on the device that it was described for, with its products rounded as there', async (t) => {
  const bytes = mlp(new Random(3), [4, 16, 2])
  const x = samples(new Random(4), [5, 4])
  const there = await load(t, bytes, { device: 'emulated', precision: 'tf32' })
  const job = await describeJob(there, { kind: 'ntk', x })
  t.like(job, { device: 'emulated', precision: 'tf32' })
  // Whatever the network's own device is.
  const here = await load(t, bytes)
  const found = (await runJob(job, { network: here })).get('total') as NdArray
  t.true(bits(found).equals(bits(await there.ntk(x))))
  const plain = await describeJob(here, { kind: 'ntk', x })
  t.is(plain.device, 'cpu')
  t.false('precision' in plain)
  t.not(plain.digest, job.digest)
  t.false(bits(found).equals(bits(await here.ntk(x))), 'products are rounded')
  t.is((await describeJob(here, { kind: 'ntk', x, device: 'auto' })).device, 'auto')
  await t.throwsAsync(runJob({ ...plain, device: 'cuda:999' }, { network: here }), {
    code: 'NO_DEVICE',
  })
  const wrong = { ...plain, device: 'gpu' } as unknown as JobDescription
  await t.throwsAsync(runJob(wrong, { network: here }), {
    code: 'BAD_ARGUMENT',
    message: /cpu, cuda, cuda:N, emulated or auto/,
  })
})

test('whatever decides the numbers decides the digest, and nothing else', async (t) => {
  const random = new Random(2)
  const bytes = mlp(random, [4, 6, 3])
  const network = await load(t, bytes)
  const other = await network.withParameters(
    new Map([['l.0.bias', { data: new Float32Array(6), shape: [6] }]]),
  )
  t.teardown(() => other.dispose())
  const x = samples(random, [5, 4])
  const moved = { data: x.data.map((value) => value + 1), shape: x.shape }
  const base: JobRequest = { kind: 'ntk', x }
  const digest = async (job: JobRequest, of = network) => (await describeJob(of, job)).digest
  const frozen = await load(t, bytes, { frozen: 'l.0.bias' })
  const double = await load(t, bytes, { float64: true })
  const hidden = await load(t, bytes, { output: 'h0' })
  const digests: string[] = [
    await digest(base),
    await digest(base, other),
    await digest(base, frozen),
    await digest(base, double as never),
    await digest(base, hidden),
    await digest({ ...base, x: moved }),
    await digest({ ...base, x2: x }),
    await digest({ ...base, kernel: 'trace' }),
    await digest({ ...base, by: 'layer' }),
    await digest({ ...base, method: 'structured' }),
    await digest({ ...base, outputs: [0, 1] }),
    await digest({ ...base, outputs: [1, 0] }),
    await digest({ kind: 'jacobian', x }),
  ]
  t.is(new Set(digests).size, digests.length)
  const again = await load(t, bytes)
  for (const same of [base, { ...base, threads: 1 }, { ...base, memory: '100MB' }])
    t.is(await digest(same, again), digests[0] as string)
})

test('another network, changed arrays and what is no job are refused', async (t) => {
  const random = new Random(3)
  const network = await load(t, mlp(random, [4, 6, 3]))
  const x = samples(random, [5, 4])
  const job = await describeJob(network, { kind: 'ntk', x })
  const bad = { code: 'BAD_ARGUMENT' }
  const refused = async (promise: Promise<unknown>, words: RegExp) =>
    t.regex(((await t.throwsAsync(promise, bad)) as Error).message, words)
  const zeros = new Map([['l.0.bias', { data: new Float32Array(6), shape: [6] }]])
  const weights = await network.withParameters(zeros)
  t.teardown(() => weights.dispose())
  await refused(runJob(job, { network: weights }), /other weights/)
  const wide = await load(t, mlp(random, [4, 6, 6, 3]))
  await refused(runJob(job, { network: wide }), /another network/)
  await refused(runJob(job), /not read from a file/)
  await refused(runJob({ ...job, outputs: [0] }, { network }), /was changed/)
  await refused(runJob({ ...job, format: 2 } as never, { network }), /1 for job\.format/)
  await refused(runJob({ ...job, device: 'tpu' } as never, { network }), /job\.device/)
  const folder = await folderOf(t)
  await writeJob(folder, job)
  t.deepEqual(await readJob(folder), job)
  const [array = ''] = (await readdir(folder)).filter((name) => name.endsWith('.npy'))
  const whole = await readFile(join(folder, array))
  whole[whole.length - 1] = (whole[whole.length - 1] as number) ^ 1
  await writeFile(join(folder, array), whole)
  await t.throwsAsync(readJob(folder), { code: 'BAD_FILE' })
  await writeFile(join(folder, 'job.json'), '{')
  await t.throwsAsync(readJob(folder), { code: 'BAD_FILE' })
})

test('fields are checked as they are declared, for every kind', (t) => {
  const good: Record<keyof typeof jobKinds, object> = {
    ntk: { kernel: 'full', method: 'auto', groups: [0, 1] },
    grouped: { kernel: 'full', method: 'auto', groups: [0, 1], size: 2 },
    jacobian: {},
    features: {},
    vjp: { cotangents: new Float32Array(2), columns: 1 },
    jvp: { directions: [null, new Float32Array(2)], columns: 1 },
    normal: { directions: [], columns: 2 },
    product: { vectors: new Float64Array(2), columns: 1 },
    sketch: {
      ...{ map: 'mask', size: 4, seed: 0, groups: [0], keys: [7], stages: [], columns: 1 },
      heads: new Float32Array(2),
    },
  }
  for (const kind of Object.values(jobKinds)) {
    const values = good[kind.kind] as Record<string, unknown>
    t.notThrows(() => checkFields(kind.fields, values, 'job'))
    const wrong = [{ ...values, unknown: 1 }]
    for (const [name, field] of Object.entries(kind.fields)) {
      wrong.push({ ...values, [name]: Symbol('wrong') } as never)
      if (!field.optional) wrong.push({ ...values, [name]: undefined } as never)
    }
    for (const one of wrong) {
      t.throws(() => checkFields(kind.fields, one, 'job'), { code: 'BAD_ARGUMENT' }, kind.kind)
    }
  }
})
