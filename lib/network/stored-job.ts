// Jobs as files: JSON, and each array apart under its digest.

import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { badArgument, TangentError } from '../core/errors.js'
import { identify } from '../io/identify.js'
import { makeFolder, readNpy, type TypedArray, writeFileAtomic, writeNpy } from '../io/index.js'
import { checkJob, type JobDescription } from './job.js'

const fileOf = (folder: string, digest: string) => join(folder, `${digest}.npy`)

/**
 * Writes a job to a folder: `job.json`, and each of its arrays as `<digest>.npy`. The network stays where it
 * is: the job names its file and says by digests which network it is.
 *
 * ```ts
 * await writeJob('job', await describeJob(network, { kind: 'jacobian', x }))
 * const jacobian = await runJob(await readJob('job'))
 * ```
 * @since 0.2.0
 * @example
 * ```js
 * import { describeJob, Network, readArray, writeJob } from 'adaptive-tangent'
 *
 * const network = await Network.load('model.onnx')
 * const job = await describeJob(network, {
 *   kind: 'ntk',
 *   x: await readArray('x.npy'),
 *   kernel: 'trace',
 * })
 * await writeJob('job', job)
 * await network.dispose()
 * ```
 */
export async function writeJob(folder: string, job: JobDescription): Promise<void> {
  checkFolder(folder)
  checkJob(job)
  await makeFolder(folder)
  const plain = await encoded(job, async (data) => {
    const digest = await identify(data)
    const file = fileOf(folder, digest)
    await writeNpy(file, { data, shape: [data.length] })
    return { array: digest, length: data.length }
  })
  await writeFileAtomic(
    join(folder, 'job.json'),
    Buffer.from(`${JSON.stringify(plain, null, 2)}\n`),
  )
}

/**
 * Reads a job that {@link writeJob} wrote.
 * @throws TangentError BAD_FILE for what is no job, or where an array is not what it was.
 * @since 0.2.0
 * @example
 * ```js
 * import {
 *   describeJob,
 *   Network,
 *   readArray,
 *   readJob,
 *   runJob,
 *   writeJob,
 * } from 'adaptive-tangent'
 *
 * const network = await Network.load('model.onnx')
 * const x = await readArray('x.npy')
 * await writeJob('stored', await describeJob(network, { kind: 'ntk', x, kernel: 'trace' }))
 * await network.dispose()
 * console.log((await runJob(await readJob('stored'))).get('total').shape.join(' '))
 * // 20 20
 * ```
 */
export async function readJob(folder: string): Promise<JobDescription> {
  checkFolder(folder)
  const path = join(folder, 'job.json')
  let plain: unknown
  try {
    plain = JSON.parse(await readFile(path, 'utf8'))
  } catch (cause) {
    throw new TangentError('BAD_FILE', `Expected a job in ${path} (${(cause as Error).message})`)
  }
  const job = await decoded(plain, async ({ array }) => {
    const { data } = await readNpy(fileOf(folder, array))
    if ((await identify(data)) === array) return data
    throw new TangentError('BAD_FILE', `Expected the array of the job in ${fileOf(folder, array)}`)
  })
  checkJob(job)
  return job
}

function checkFolder(folder: unknown): void {
  if (typeof folder !== 'string') throw badArgument('folder', 'a path', folder)
}

interface Reference {
  array: string
  length: number
}

const isReference = (value: object): value is Reference =>
  /^[0-9a-f]{64}$/.test(String((value as Partial<Reference>).array))

async function encoded(
  value: unknown,
  store: (data: TypedArray) => Promise<Reference>,
): Promise<unknown> {
  if (ArrayBuffer.isView(value)) return store(value as TypedArray)
  return mapped(value, (one) => encoded(one, store))
}

async function decoded(
  value: unknown,
  load: (reference: Reference) => Promise<TypedArray>,
): Promise<unknown> {
  if (typeof value === 'object' && value !== null && isReference(value)) return load(value)
  return mapped(value, (one) => decoded(one, load))
}

async function mapped(value: unknown, work: (one: unknown) => Promise<unknown>): Promise<unknown> {
  if (Array.isArray(value)) return Promise.all(value.map(work))
  if (typeof value !== 'object' || value === null) return value
  const entries = Object.entries(value).map(async ([name, one]) => [name, await work(one)])
  return Object.fromEntries(await Promise.all(entries))
}
