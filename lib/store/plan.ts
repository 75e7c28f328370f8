// What a store is planned to hold, told by its first samples.

import { formsOf } from '../derivatives/features.js'
import type { Floats } from '../io/index.js'
import { fileNames } from '../io/names.js'
import type { TilePlan } from '../io/sink.js'
import type { Network } from '../network/network.js'
import { callOf, type PlainRequest } from './calls.js'
import { type Grid, isFloating } from './layout.js'
import type { StoreType } from './rounding.js'
import { type Grouping, tasksOf } from './tasks.js'
import type { Hands } from './work.js'

/** What the call comes to, told by a call of the first samples that computes nothing. */
export async function planned(
  network: Network<Floats>,
  request: PlainRequest,
  { x, x2 }: Hands,
  { threads, memory }: { threads: number; memory: number },
): Promise<TilePlan> {
  let plan: TilePlan | undefined
  const sink = {
    open: (told: TilePlan) => {
      plan = told
    },
    has: () => true,
    write: () => {},
  }
  const first = await x.inputs(0, 1)
  const second = x2 && (await x2.inputs(0, 1))
  await callOf(network, request, first, second, { sink, threads, memory })
  return plan as TilePlan
}

/** What readers of a store's group have to know. */
export async function attributesOf(
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
export function gridOf(
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
export function grouped(grid: Grid, group: number, bytes: number, memory: number): Grouping {
  const squares = tasksOf(grid, { group, span: 1 }).length
  const fitting = Math.floor(memory / 8 / (bytes * group * grid.size)) - 1
  const span = Math.min(widest, Math.floor(squares / enoughTasks), fitting)
  return { group, span: Math.max(1, span) }
}
