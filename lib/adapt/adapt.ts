// From labels to a model in one call.
import { badArgument, mismatch, TangentError } from '../core/errors.js'
import { checkCall } from '../core/options.js'
import { timed } from '../core/progress.js'
import { shapeSize } from '../core/shape.js'
import { prepare } from '../derivatives/derive.js'
import { fitAdaptive, type NetworkFitOptions, NetworkModel } from '../fit/network.js'
import { checkFitMemory } from '../fit/options.js'
import { originOf } from '../fit/origin.js'
import { split } from '../fit/samples.js'
import { checkSamples } from '../fit/selection.js'
import { fitSoftmaxNetwork } from '../fit/softmax.js'
import type { LastAffine } from '../graph/head.js'
import { held, heldInputs } from '../io/held.js'
import { type Core, cores } from '../model/core.js'
import { type Declared, type Inputs, type SettledInputs, samplesOf } from '../model/inputs.js'
import type { Network } from '../network/network.js'
import { type AdaptProblem, choose, type OpenHead, withFittedHead } from './choose.js'
import { planFolds } from './folds.js'
import { applyHead, chooseHead, fitHead, type LinearHead } from './linear-head.js'
import { AdaptedModel, type HoldoutScores, type ProbeChoice } from './model.js'
import { checkVector, headed, lastLayer, noHead, penultimate } from './network.js'
import { type AdaptOptions, checkAdaptOptions, type HeldOutSamples } from './options.js'
import { scoresOf } from './scores.js'
import {
  type AdaptTargets,
  checkVaried,
  columnsOf,
  numbersFor,
  readTargets,
  type Targets,
  targetsAt,
} from './targets.js'

/** Samples that were read. */
interface Labelled {
  x: SettledInputs
  declared: Declared
  targets: Targets
  samples: number
}

/**
 * Labels to a model in one call: a new last layer where the network's outputs are not the ones that
 * the targets ask for, then tangent features at those weights, fitted with the ridge and the price of
 * adapting that are best over folds. What sees a label (the new layer too) is fitted again in every
 * fold. A holdout scores the model next to a linear probe (ridge on the value before the last layer)
 * and the network as it was.
 * @param x N samples
 * @param y classes (N) as integers or texts, (N, C) one-hot, or numbers (N, O)
 * @throws TangentError `BAD_ARGUMENT` and `BAD_INPUT` for targets that do not fit, `UNSUPPORTED` for
 *   a network without a last affine layer where a new one is needed, `MEMORY_BUDGET`, `NUMERICAL`;
 *   a DOMException named AbortError.
 * @example
 * ```js
 * import { adapt, buildMlp, Network } from 'adaptive-tangent'
 *
 * // A network of two outputs, and points of three classes.
 * const network = await Network.load(await buildMlp({ inputs: 2, hidden: [16], outputs: 2 }))
 * const angle = (i) => (2 * Math.PI * (i % 3)) / 3 + Math.sin(i) / 3
 * const at = Float32Array.from({ length: 60 }, (_, e) => {
 *   const i = Math.floor(e / 2)
 *   return e % 2 ? Math.sin(angle(i)) : Math.cos(angle(i))
 * })
 * const x = { data: at, shape: [30, 2] }
 * const y = Array.from({ length: 30 }, (_, i) => ['red', 'green', 'blue'][i % 3])
 * const adapted = await adapt(network, x, y, { structure: 'fixed', holdout: 0.3 })
 * console.log(adapted.labels.join(' '), adapted.holdout.fitted.accuracy.value > 0.8)
 * await Promise.all([adapted.dispose(), network.dispose()])
 * // blue green red true
 * ```
 * @since 0.2.0
 */
export async function adapt(
  network: Network,
  x: Inputs,
  y: AdaptTargets,
  options: AdaptOptions = {},
): Promise<AdaptedModel> {
  checkCall(options)
  const checked = checkAdaptOptions(options)
  const core = cores.get(network)
  if (!core) throw badArgument('network', 'a Network', network)
  if (core.architecture.whole) {
    throw badArgument('the network', "batch 'each': folds part its samples", 'whole')
  }
  const tell = timed(options.onProgress)
  const own = await labelled(core, heldInputs(x, 'x'), heldTargets(y, 'y'), {
    name: 'y',
    kind: checked.target,
    options,
  })
  const { train, test, notes } = await parted(core, own, options)
  checkSamples(train.samples)
  checkVaried(train.targets, 'y')
  const fitting = fitOptionsOf(options)
  const task = await taskOf(network, train, options, notes)
  try {
    const model = await run(network, task, { train, test, notes, fitting, tell })
    tell(1)
    return model
  } catch (error) {
    if (task.problem.network !== network) await task.problem.network.dispose()
    throw error
  }
}

/** What is left to a fit of its own. */
function fitOptionsOf(options: AdaptOptions): NetworkFitOptions {
  const { target: _t, head: _h, loss: _l, holdout: _o, onProgress: _p, ...fitting } = options
  return fitting
}

function heldTargets(y: AdaptTargets, name: string): AdaptTargets {
  return Array.isArray(y) ? [...y] : held(y, name)
}

async function labelled(
  core: Core,
  x: Inputs,
  y: AdaptTargets,
  how: {
    name: string
    kind: 'auto' | 'classes' | 'numbers'
    like?: Targets
    options: AdaptOptions
  },
): Promise<Labelled> {
  const { name, kind, like, options } = how
  const { signal, threads, memory } = options
  const { rows, ...declared } = await core.reading(
    x,
    name === 'y' ? 'x' : 'options.holdout.x',
    options,
  )
  const { samples } = await prepare(core, rows, { signal, threads, memory })
  const labels = like?.kind === 'classes' ? like.labels : undefined
  const targets = readTargets(y, samples, { kind: like?.kind ?? kind, labels, name })
  if (like && columnsOf(like) !== columnsOf(targets)) {
    throw mismatch(name, `targets of ${columnsOf(like)} columns, as y has`, `${columnsOf(targets)}`)
  }
  return { x: rows, declared, targets, samples }
}

/** Samples that are fitted, and those that are held out. */
async function parted(
  core: Core,
  all: Labelled,
  options: AdaptOptions,
): Promise<{ train: Labelled; test: Labelled | undefined; notes: string[] }> {
  const { holdout } = options
  if (holdout === undefined) return { train: all, test: undefined, notes: [] }
  if (typeof holdout !== 'number') {
    return { train: all, test: await heldOutOf(core, all, holdout, options), notes: [] }
  }
  const { x, declared, targets, samples } = all
  const rows = { data: Int32Array.from({ length: samples }, (_, i) => i), shape: [samples] }
  const classes = targets.kind === 'classes' ? { data: targets.of, shape: [samples] } : undefined
  const { seed = 1 } = options.selection ?? {}
  const parts = split(rows, { fraction: 1 - holdout, seed, classes })
  const [kept, left] = parts.map(({ data }) => [...data])
  if (!kept?.length || !left?.length) {
    throw badArgument(
      'options.holdout',
      `a share that leaves samples on both sides of ${samples}`,
      holdout,
    )
  }
  const side = async (own: number[]) => ({
    x: await samplesOf(x, declared, own),
    declared,
    targets: targetsAt(targets, own),
    samples: own.length,
  })
  return { train: await side(kept), test: await side(left), notes: unseen(targets, kept) }
}

async function heldOutOf(
  core: Core,
  like: Labelled,
  { x, y }: HeldOutSamples,
  options: AdaptOptions,
): Promise<Labelled> {
  return labelled(core, heldInputs(x, 'options.holdout.x'), heldTargets(y, 'options.holdout.y'), {
    name: 'options.holdout.y',
    kind: 'auto',
    like: like.targets,
    options,
  })
}

/** Classes that no sample is left to learn from. */
function unseen(targets: Targets, rows: readonly number[]): string[] {
  if (targets.kind === 'numbers') return []
  const seen = new Set(rows.map((row) => targets.of[row]))
  const missing = targets.labels.filter((_, column) => !seen.has(column))
  if (missing.length === 0) return []
  return [`All samples of ${missing.join(', ')} are in the holdout: none is left to learn from.`]
}

interface Task {
  problem: AdaptProblem
  last: LastAffine | undefined
  /** Of the training samples, where there is a last layer. */
  h: OpenHead['h'] | undefined
}

/** The network that is fitted, and the numbers that it is fitted to. */
async function taskOf(
  network: Network,
  train: Labelled,
  options: AdaptOptions,
  notes: string[],
): Promise<Task> {
  const core = cores.get(network) as Core
  const { head = 'auto', signal, threads, memory } = options
  const { targets, samples, x, declared } = train
  const { allOutputs } = await prepare(core, x, { signal, threads, memory })
  const wanted = columnsOf(targets)
  const { folds, repeats, seed, loss } = checkAdaptOptions(options)
  if (loss === 'softmax' && targets.kind === 'numbers') {
    throw mismatch('y', "classes with loss 'softmax'", 'numbers')
  }
  const pair = targets.kind === 'classes' && wanted === 2 && allOutputs === 1 && loss === 'squared'
  const fits = wanted === allOutputs || pair
  if (head === 'keep' && !fits) {
    throw mismatch('y', `targets for the network's ${allOutputs} outputs`, `${wanted} columns`)
  }
  const fresh = head === 'new' || !fits
  const layer = lastLayer(core)
  const last = 'why' in layer ? undefined : layer
  const what = targets.kind === 'classes' ? 'class' : 'column'
  if (head === 'auto' && fresh) {
    notes.push(
      `The network has ${counted(allOutputs, 'output')} and the targets have ${counted(wanted, what)}: it gets a new last layer.`,
    )
  }
  if (fresh && 'why' in layer) throw noHead(layer)
  if (fresh && last) await checkVector(network, last)
  const h = last && (await penultimate(network, last, x, options))
  const plan = planFolds(targets, samples, { folds, repeats, seed })
  const by = targets.kind === 'classes' ? 'cross-entropy' : 'squared error'
  const common = { x, declared, samples, plan, loss, by } as const
  if (!fresh) {
    const y = numbersFor(targets, allOutputs)
    return {
      problem: { ...common, network, y, outputs: allOutputs, open: undefined },
      last,
      h,
    }
  }
  const y = numbersFor(targets, Math.max(wanted, targets.kind === 'classes' ? 2 : 1))
  const scale = targets.kind === 'numbers' ? deviation(y, wanted) : 1
  const own = h as OpenHead['h']
  const {
    network: changed,
    weight,
    bias,
  } = await headed(network, last as LastAffine, {
    columns: wanted,
    width: own.width,
    scale: targets.kind === 'numbers' ? scale : undefined,
  })
  const open = { h: own, scale, weight, bias }
  return { problem: { ...common, network: changed, y, outputs: wanted, open }, last, h }
}

const counted = (count: number, what: string) =>
  `${count} ${what}${count === 1 ? '' : what === 'class' ? 'es' : 's'}`

/** Root mean square of numbers less their columns' means: the unit in which they are fitted. */
function deviation(y: Float64Array, columns: number): number {
  const count = y.length / columns
  const means = new Float64Array(columns)
  y.forEach((value, e) => {
    means[e % columns] = (means[e % columns] as number) + value / count
  })
  const sum = y.reduce((all, value, e) => all + (value - (means[e % columns] as number)) ** 2, 0)
  return Math.fround(Math.sqrt(sum / y.length))
}

interface Work {
  train: Labelled
  test: Labelled | undefined
  notes: string[]
  fitting: NetworkFitOptions
  tell: (fraction: number) => void
}

/** Shares of the progress at which the parts end. */
const ends = { probe: 0.03, choice: 0.85, fit: 0.97 }

const ridgeAtEnd = {
  least: 'The best ridge is the least that was tried: the targets are fitted nearly exactly.',
  largest:
    'The best ridge is the largest that was tried: the features say next to nothing more of the targets.',
}

async function run(network: Network, task: Task, work: Work): Promise<AdaptedModel> {
  const { problem, h } = task
  const { fitting, tell, train, notes } = work
  const { open, y, outputs, samples, plan } = problem
  const { signal, threads } = fitting
  const numbers = problem.network.parameters.reduce(
    (sum, { shape, frozen }) => sum + (frozen ? 0 : shapeSize(shape)),
    0,
  )
  await checkFitMemory(samples * outputs, numbers, { ...fitting, ridge: 1 })
  const scale = open?.scale ?? 1
  const inUnits = y.map((value) => value / scale)
  const probe = h && (await chooseHead(h, inUnits, plan, { signal, threads }))
  if (open && !probe) {
    throw new TangentError(
      'NUMERICAL',
      'Expected a value before the last layer that differs between samples but it is the same for all of them: no head can be fitted to it',
    )
  }
  tell(ends.probe)
  const chosen = await choose(problem, probe?.ridge ?? null, fitting, (fraction) =>
    tell(ends.probe + fraction * (ends.choice - ends.probe)),
  )
  if (chosen.end) notes.push(ridgeAtEnd[chosen.end])
  const all = Array.from({ length: samples }, (_, i) => i)
  const final = open
    ? await withFittedHead(problem, open, all, chosen.headRidge as number, fitting)
    : network
  try {
    const target = { data: y, shape: [samples, outputs] }
    const { ridge, price } = chosen
    const setting = { ...fitting, ridge, price }
    const found =
      problem.loss === 'softmax'
        ? await fitSoftmaxNetwork(final, problem.x, target, setting)
        : await fitAdaptive(final, problem.x, target, setting)
    tell(ends.fit)
    const { origin } = found
    const about = { origin, classes: numbersOf(train.targets) }
    const fitted = new NetworkModel(found.model, found.layout, undefined, found.split, about)
    const head =
      probe && h ? await fitHead(h, inUnits, all, probe.ridge, { signal, threads }) : undefined
    const holdout = await scored(network, final, fitted, { task, work, head, scale })
    const labels = train.targets.kind === 'classes' ? train.targets.labels : null
    return new AdaptedModel({
      network: final,
      own: open !== undefined,
      source: await originOf(network),
      fitted,
      labels,
      samples,
      selection: chosen,
      probe: probe ? ({ ridge: probe.ridge, grid: probe.grid } satisfies ProbeChoice) : null,
      holdout,
      notes,
    })
  } catch (error) {
    if (final !== network) await final.dispose()
    throw error
  } finally {
    if (open) await problem.network.dispose()
  }
}

/** Labels as a fitted model keeps them; those that are texts by column. */
function numbersOf(targets: Targets): number[] | undefined {
  if (targets.kind === 'numbers') return undefined
  return targets.labels.map((label, column) => (typeof label === 'number' ? label : column))
}

/** Of the fitted model, a linear probe and the network as it was. */
async function scored(
  network: Network,
  final: Network,
  fitted: NetworkModel,
  how: { task: Task; work: Work; head: LinearHead | undefined; scale: number },
): Promise<HoldoutScores | null> {
  const { task, work, head, scale } = how
  const { test, fitting } = work
  if (!test) return null
  const { signal, threads, memory } = fitting
  const options = { signal, threads, memory }
  const { data } = await fitted.predict(final, test.x, options)
  let probe: HoldoutScores['probe'] = null
  if (head && task.last) {
    const h = await penultimate(network, task.last, test.x, options)
    const found = await applyHead(head, h, { signal, threads })
    probe = scoresOf(
      found.map((value) => value * scale),
      test.targets,
    )
  }
  const before = await network.run(test.x, options)
  const width = before.data.length / test.samples
  const same = width === task.problem.outputs && isOfOutputs(test.targets, width)
  return {
    samples: test.samples,
    fitted: scoresOf(data, test.targets),
    probe,
    network: same ? scoresOf(before.data as ArrayLike<number>, test.targets) : null,
  }
}

/** Do the network's own outputs stand for these targets? */
function isOfOutputs(targets: Targets, width: number): boolean {
  if (targets.kind === 'numbers' || width === 1) return true
  return targets.labels.every((label, column) => label === column || typeof label === 'string')
}
