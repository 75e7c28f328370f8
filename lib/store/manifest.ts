// What a store is of: written once, obeyed or refused by whoever works on it.
import { TangentError } from '../core/errors.js'
import { ownVersion } from '../core/package.js'
import { quote } from '../core/quote.js'
import type { JobDescription } from '../network/job.js'
import type { Grid } from './layout.js'
import { otherProcessor, type Processor } from './processor.js'
import type { SamplesDigest } from './samples.js'
import type { Storage } from './storage.js'

/** The file's name in a store. */
export const manifestKey = 'manifest.json'

export interface Manifest {
  /** Of the manifest itself. */
  format: 1
  /** Of the store, whatever path leads to it. */
  id: string
  package: { name: 'adaptive-tangent'; version: string }
  created: string
  network: JobDescription['network']
  /** The call: `ntk` and its options. */
  request: Readonly<Record<string, unknown>> & { kind: string }
  x: SamplesDigest
  x2: SamplesDigest | null
  /** Arrays, tiles, and which of them there are. */
  grid: Grid
  /** What one worker computes at a time: see lib/store/tasks.ts. */
  group: number
  span: number
  /** Samples of a pass, where a tile takes several passes; null: one. */
  block: number | null
  /** Of a kernel: the method of each parameter, in all tiles. */
  methods: Readonly<Record<string, string>> | null
  /** For each task. */
  threads: number
  /** Budget in bytes of each worker. */
  memory: number
  processor: Processor
  /** Where a command line reads network and samples; null where a program holds them. */
  origin: object | null
}

const refused = (message: string) => new TangentError('BAD_ARGUMENT', message)

/** @throws TangentError BAD_FILE for what is no manifest, or one of another format. */
export async function readManifest(storage: Storage): Promise<Manifest | undefined> {
  const bytes = await storage.read(manifestKey)
  if (!bytes) return undefined
  let manifest: Partial<Manifest>
  try {
    manifest = JSON.parse(Buffer.from(bytes).toString('utf8')) as Partial<Manifest>
  } catch {
    manifest = {}
  }
  const { format } = manifest
  if (format === 1 && isWhole(manifest as Manifest)) return manifest as Manifest
  const what =
    typeof format === 'number' && format !== 1
      ? `of format 1 but it has format ${format}, of another version of adaptive-tangent`
      : 'that adaptive-tangent wrote'
  throw new TangentError('BAD_FILE', `Expected a manifest in ${storage.name} ${what}`)
}

/** Numbers that decide which tiles there are: one that is damaged must not make a store look complete. */
function isWhole({ package: made, processor, network, request, ...of }: Manifest): boolean {
  const { grid, group, span, threads, memory, x, x2 } = of
  const counts = (...all: unknown[]) =>
    all.every((value) => Number.isSafeInteger(value) && Number(value) > 0)
  const samples = (some: SamplesDigest) =>
    counts(some.samples) && some.stripes.length === Math.ceil(some.samples / grid.size)
  try {
    const { rows, columns } = grid.axes
    const lengths = [x.samples, (x2 ?? x).samples]
    const arrays = grid.arrays.every(
      ({ shape }) =>
        counts(...shape) &&
        shape[rows] === lengths[0] &&
        (columns === null || shape[columns] === lengths[1]),
    )
    const known = [made.version, of.id, request.kind, network.weights, processor.blas]
    return (
      counts(grid.size, group, span, threads, memory) &&
      known.every((text) => typeof text === 'string') &&
      grid.arrays.length > 0 &&
      arrays &&
      samples(x) &&
      (x2 === null || samples(x2))
    )
  } catch {
    return false
  }
}

/**
 * Is nothing there yet? No where another has made a store meanwhile.
 * @throws TangentError BAD_ARGUMENT where something else lies.
 */
export async function isNew(storage: Storage): Promise<boolean> {
  const found = await storage.any()
  if (found === undefined) return true
  if (await readManifest(storage)) return false
  throw refused(
    `Expected a new place or a store for --store but ${storage.name} holds something else (${found})`,
  )
}

export function manifestBytes(manifest: Manifest): Uint8Array {
  return Buffer.from(`${JSON.stringify(manifest, null, 1)}\n`)
}

/** @throws TangentError BAD_ARGUMENT where this version or machine might compute other bits. */
export function checkMachine(manifest: Manifest, name: string): void {
  const { version } = manifest.package
  if (version !== ownVersion()) {
    throw refused(
      `Expected adaptive-tangent ${version}, which made the store ${name}, but this is ${ownVersion()}, whose last bits may differ; go on with that version or begin another store`,
    )
  }
  const other = otherProcessor(manifest.processor)
  if (other === undefined) return
  throw refused(
    `Expected a machine that computes the same bits as the one that made the store ${name} but ${other}`,
  )
}

/** What decides a job's numbers, as a caller asks for it now. */
export type Asked = Pick<Manifest, 'network' | 'request' | 'x' | 'x2'>

/** @throws TangentError BAD_ARGUMENT where a store is of another job, saying what is another. */
export function checkSame(manifest: Manifest, asked: Asked, name: string): void {
  const other = difference(manifest, asked)
  if (other === undefined) return
  throw refused(
    `Expected the job of the store ${name} but ${other}; give that job, or another place for --store`,
  )
}

function difference(of: Manifest, asked: Asked): string | undefined {
  if (of.network.network !== asked.network.network) return 'this is another network'
  if (of.network.weights !== asked.network.weights) return 'the network has other weights'
  const names = ['kind', ...Object.keys(of.request), ...Object.keys(asked.request)]
  for (const name of new Set(names)) {
    const [before, now] = [of.request[name], asked.request[name]].map((value) =>
      value === undefined ? 'not given' : JSON.stringify(value),
    )
    if (before !== now)
      return `${quote(name)} is ${shortened(now)} here and ${shortened(before)} there`
  }
  for (const name of ['x', 'x2'] as const) {
    const [before, now] = [of[name], asked[name]]
    if (!before !== !now) return now ? 'it has no second samples' : 'it has second samples'
    const found = before && now ? samplesDiffer(before, now) : undefined
    if (found !== undefined) return `${found} in ${name}`
  }
  const options = [of, asked].map(({ network }) => JSON.stringify(network.options))
  return options[0] === options[1] ? undefined : 'the network was loaded with other options'
}

function samplesDiffer(before: SamplesDigest, now: SamplesDigest): string | undefined {
  if (before.samples !== now.samples) {
    return `there are ${now.samples} samples here and ${before.samples} there`
  }
  const same = (name: 'inputs' | 'shared' | 'stripes') =>
    JSON.stringify(before[name]) === JSON.stringify(now[name])
  return same('inputs') && same('shared') && same('stripes') ? undefined : 'there are other samples'
}

const shortened = (text = '') => (text.length > 60 ? `${text.slice(0, 59)}…` : text)
