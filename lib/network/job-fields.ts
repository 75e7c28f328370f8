// What is the same in jobs of all kinds, declared like their own fields.
import { shapeSize } from '../core/shape.js'
import { type DeviceName, isDeviceName } from '../native/device.js'
import {
  choice,
  type Field,
  field,
  listed,
  optional,
  record,
  text,
  type ValuesOf,
  whole,
  wholes,
} from '../runtime/jobs/fields.js'
import { jobKinds } from '../runtime/jobs/index.js'
import type { Feed } from '../runtime/protocol.js'
import type { LoadOptions } from './load-options.js'

const isObject = (value: unknown) =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** An input as the network takes it: samples first. */
function isArray(value: unknown): boolean {
  const { name, type, shape, data } = (value ?? {}) as Partial<Feed['arrays'][number]>
  if (typeof name !== 'string' || typeof type !== 'string' || !wholes.accepts(shape)) return false
  const size = shapeSize(shape as number[])
  return ArrayBuffer.isView(data) && (data as Feed['arrays'][number]['data']).length === size
}

function isFeed(value: unknown): boolean {
  const { samples, arrays, shared = [] } = (value ?? {}) as Partial<Feed>
  if (!whole(1).accepts(samples) || !Array.isArray(arrays) || !Array.isArray(shared)) return false
  return (
    arrays.length > 0 &&
    [...arrays, ...shared].every(isArray) &&
    arrays.every(({ shape }: { shape: number[] }) => shape[0] === samples)
  )
}

const feed: Field<Feed> = field(null, 'samples as a network takes them', isFeed)
const deviceField: Field<DeviceName> = field(
  null,
  'cpu, cuda, cuda:N, emulated or auto',
  isDeviceName,
)
const digest: Field<string> = field(
  null,
  'a SHA-256 in hexadecimal',
  (value) => typeof value === 'string' && /^[0-9a-f]{64}$/.test(value),
)

/** What decides a job in addition to what its kind declares. */
export const jobFields = {
  /** Of this description. */
  format: field<1>(null, '1', (value) => value === 1),
  /** Of network, weights, inputs and what is asked of them. */
  digest,
  /** The device that it was described for: runJob uses that one. */
  device: deviceField,
  /** How its products are rounded there; absent: not at all. */
  precision: optional(choice('tf32')),
  network: record({
    /** The file that it was read from; null where it was read from bytes. */
    file: field<string | null>(
      null,
      'a path or null',
      (value) => value === null || typeof value === 'string',
    ),
    /** Of its structure, and of all its numbers. */
    network: digest,
    weights: digest,
    /** How it is read. */
    options: field<LoadOptions>(null, 'options of Network.load', isObject),
  }),
  x: feed,
  x2: optional(feed),
  /** Flat indices. */
  outputs: wholes,
  threads: whole(1),
  /** Budget in bytes. */
  memory: whole(1),
  block: optional(whole(0)),
  outputBlock: optional(whole(0)),
  nonFinite: choice('throw', 'return'),
  /** Which fields it has is checked by its kind. */
  job: field<object>(
    null,
    `an object whose kind is one of ${Object.keys(jobKinds).join(', ')}`,
    (value) => isObject(value) && Object.keys(jobKinds).includes((value as { kind: string }).kind),
  ),
  /** The arrays that come of it. */
  results: listed(record({ name: text, shape: wholes })),
}

export type JobParts = ValuesOf<typeof jobFields>
