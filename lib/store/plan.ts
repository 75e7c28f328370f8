// What a store is planned to hold, told by its first samples.

import { badArgument } from '../core/errors.js'
import { formsOf } from '../derivatives/features.js'
import type { Floats } from '../io/index.js'
import { fileNames } from '../io/names.js'
import type { TilePlan } from '../io/sink.js'
import type { Network } from '../network/network.js'
import { callOf, type PlainRequest } from './calls.js'
import { landmarksIn } from './landmarks.js'
import { type Grid, isFloating } from './layout.js'
import type { Manifest } from './manifest.js'
import { mostSamplesRead, roomOf } from './room.js'
import type { StoreType } from './rounding.js'
import { chosenSizes } from './sizes.js'
import { type Grouping, tasksOf } from './tasks.js'
import type { Hands } from './work.js'

/** What is said of a store, and what a worker has. */
export interface Planning {
  tile: number | undefined
  group: number | undefined
  half: boolean | undefined
  dtype: StoreType | undefined
  threads: number
  memory: number
  signal: AbortSignal | undefined
}

/** What of a manifest is decided, once, before any work. */
export async function planned(
  network: Network<Floats>,
  request: PlainRequest,
  own: Hands,
  planning: Planning,
): Promise<Pick<Manifest, 'grid' | 'group' | 'span' | 'block' | 'methods'>> {
  const { group, half = false, dtype, threads, signal } = planning
  const most = Math.max(own.x.length, own.x2?.length ?? 0)
  const likely = Math.min(planning.tile ?? mostSamplesRead(planning.memory, own), most)
  const memory = roomOf(planning.memory, own, { tile: likely, samples: [likely, likely] })
  const { plan, methods } = await planOf(network, request, own, { threads, memory, signal })
  if (half && !plan.symmetric) throw badArgument('options.half', 'no half of such a result', half)
  const call = methods ? { ...request, method: methods } : request
  const sizes = await chosenSizes(own, call, plan, { ...planning, memory })
  const size = Math.min(sizes.tile, most)
  const attributes = await attributesOf(network, request, own, { threads, memory })
  const grid = gridOf({ ...plan, size }, own, { half, dtype, attributes })
  const side = group ?? Math.max(1, Math.round(sizes.task / size))
  const block = sizes.block ?? null
  return { grid, ...grouped(grid, side, own.x.held.task, memory), block, methods }
}

/** What a call comes to. */
interface CallPlan {
  plan: TilePlan
  /** Of a kernel: the method of each parameter, for tasks of many samples. */
  methods: Readonly<Record<string, string>> | null
}

/** Samples a side of a task that methods are chosen for, at most. */
const mostExpected = 1024

/** Told by a call of the first samples, whose result is not kept. */
async function planOf(
  network: Network<Floats>,
  request: PlainRequest,
  hands: Hands,
  how: { threads: number; memory: number; signal: AbortSignal | undefined },
): Promise<CallPlan> {
  const { x, x2 } = hands
  let plan: TilePlan | undefined
  const sink = {
    open: (told: TilePlan) => {
      plan = told
    },
    // A kernel's methods are told by who has computed some of it.
    has: () => request.kind !== 'ntk',
    write: () => {},
  }
  const first = await x.inputs(0, 1)
  const second = x2 && (await x2.inputs(0, 1))
  const expected = Math.min(mostExpected, x.length, (x2 ?? x).length)
  const more = request.kind === 'ntk' ? { expected } : {}
  const call = { ...request, ...more }
  const landmarks = await landmarksIn(hands, request, how)
  const { methods } = await callOf(network, call, first, second, { ...how, sink }, landmarks)
  return { plan: plan as TilePlan, methods: methods ?? null }
}

/** What readers of a store's group have to know. */
async function attributesOf(
  network: Network<Floats>,
  { kind, ...options }: PlainRequest,
  { x }: Hands,
  { threads, memory }: { threads: number; memory: number },
): Promise<Grid['attributes']> {
  if (kind !== 'features') return undefined
  const features = await network.features(await x.inputs(0, 1), { ...options, threads, memory })
  return { features: formsOf(features) }
}

/** The plan of all samples from that of one. */
function gridOf(
  { arrays, size, axes, symmetric }: TilePlan,
  { x, x2 }: Hands,
  {
    half,
    dtype,
    attributes,
  }: { half: boolean; dtype: StoreType | undefined } & Pick<Grid, 'attributes'>,
): Grid {
  const files = fileNames(arrays.map(({ name }) => name))
  const folder = (name: string) => (files.get(name) as string).slice(0, -'.npy'.length)
  return {
    size,
    axes,
    symmetric,
    half,
    ...(attributes && { attributes }),
    arrays: arrays.map(({ name, shape, dtype: computed }) => ({
      name,
      dtype: computed,
      ...(dtype === undefined || dtype === computed || !isFloating(computed)
        ? {}
        : { stored: dtype }),
      path: arrays.length === 1 && name === 'total' ? '' : folder(name),
      shape: shape.map((length, axis) =>
        axis === axes.rows ? x.length : axis === axes.columns ? (x2 ?? x).length : length,
      ),
    })),
  }
}

/** Squares of a task, in a row, at most, and tasks that are enough to share. */
const widest = 4
const enoughTasks = 32

/** Long tasks, where there are enough of them and their samples take a part of the memory. */
function grouped(grid: Grid, group: number, bytes: number, memory: number): Grouping {
  const squares = tasksOf(grid, { group, span: 1 }).length
  const fitting = bytes > 0 ? Math.floor(memory / 8 / (bytes * group * grid.size)) - 1 : widest
  const span = Math.min(widest, Math.floor(squares / enoughTasks), fitting)
  return { group, span: Math.max(1, span) }
}
