// The samples that a report of an audit shows, as people can look at them.
import { badArgument, mismatch } from '../core/errors.js'
import { checkCall } from '../core/options.js'
import { isArray } from '../io/held.js'
import { isFloat, isSource, type NdArray } from '../io/index.js'
import { nameClasses } from '../io/labels.js'
import { type Core, cores } from '../model/core.js'
import { type Inputs, samplesOf } from '../model/inputs.js'
import type { Network } from '../network/network.js'
import { type ProbeThumbnails, thumbnailsOf } from '../probe/thumbnails.js'
import { picker } from './kernels.js'
import { descending } from './labels.js'
import type { Audit, AuditQuery } from './types.js'

/** Suspicious samples, pairs, samples alone and queries that are shown. */
const [suspects, pairs, alone, strange, explained] = [24, 8, 8, 12, 12]
/** Training samples that speak for a query, and against it. */
export const voices = 4

/** What of an audit a report shows: samples by their numbers. */
export interface AuditShown {
  suspects: number[]
  pairs: Audit['train']['duplicates']
  alone: number[]
  /** Queries that are farthest from the training samples. */
  strange: number[]
  /** Queries and the training samples that raise and lower their highest output the most. */
  explained: { sample: number; for: number[]; against: number[] }[]
}

/** What a report of the audit shows. */
export function shownOf({ labels, train, query }: Audit): AuditShown {
  const byScore = query ? descending(query.score) : []
  const first = byScore.map((_, q) => q).slice(0, explained / 2)
  const told = [...new Set([...first, ...byScore])].slice(0, explained)
  return {
    suspects: labels.order.slice(0, suspects),
    pairs: train.duplicates.slice(0, pairs),
    alone: train.unsupported.slice(0, alone),
    strange: byScore.slice(0, strange),
    explained: query ? told.map((sample) => ({ sample, ...voicesOf(query, sample) })) : [],
  }
}

/** The training samples of the largest influence on a query's highest output, each way. */
export function voicesOf({ influence }: AuditQuery, query: number) {
  const samples = influence.shape[1] as number
  const row = influence.data.subarray(query * samples, (query + 1) * samples)
  const order = descending(row)
  return {
    for: order.slice(0, voices).filter((j) => (row[j] as number) > 0),
    against: order
      .slice(-voices)
      .reverse()
      .filter((j) => (row[j] as number) < 0),
  }
}

/** The samples of an audit that its report shows. */
export interface AuditPictures {
  train: ProbeThumbnails
  query: ProbeThumbnails | null
}

/**
 * Pictures of the samples that {@link renderAudit} shows: small images where an input is one, else its
 * first numbers, or with `tokens` (texts by number) the text of the first input of integers.
 * @param x as for {@link audit}
 * @since 0.2.0
 * @example
 * ```js
 * import { audit, auditPictures, Network, readArray, renderAudit, take } from 'adaptive-tangent'
 *
 * const folder = 'examples/fashion-mnist'
 * const network = await Network.load(`${folder}/mlp_trained.onnx`)
 * const x = take(await readArray(`${folder}/images.npy`), 30)
 * const y = take(await readArray(`${folder}/labels.npy`), 30)
 * const found = await audit(network, x, y, { ridge: 100 })
 * const page = renderAudit(found, { pictures: await auditPictures(network, found, x) })
 * console.log(page.includes('data:image/png'))
 * await network.dispose()
 * // true
 * ```
 */
export async function auditPictures(
  network: Network,
  found: Audit,
  x: Inputs,
  options: { query?: Inputs | undefined; tokens?: readonly string[] | undefined } = {},
): Promise<AuditPictures> {
  checkCall(options)
  checkAudit(found)
  const { query, tokens } = options
  if (tokens !== undefined) checkTokens(network, tokens)
  // Of samples that do not fit the network nothing can be shown.
  const own = await picker(network, x, 'x', {})
  const others = query === undefined ? undefined : await picker(network, query, 'query', {})
  const { suspects, pairs, alone, strange, explained } = shownOf(found)
  const shown = [
    ...suspects,
    ...pairs.flatMap(({ first, second }) => [first, second]),
    ...alone,
    ...explained.flatMap((each) => [...each.for, ...each.against]),
    ...strange.map((q) => found.query?.nearest[q] as number),
  ]
  const asked = [...strange, ...explained.map(({ sample }) => sample)]
  const ascending = (samples: readonly number[]) => [...new Set(samples)].sort((a, b) => a - b)
  const look = (inputs: Inputs, samples: readonly number[]) =>
    tokens
      ? textsOf(network, inputs, ascending(samples), tokens)
      : thumbnailsOf(network, inputs, ascending(samples))
  return {
    train: await look(own.all, shown),
    query: others ? await look(others.all, asked) : null,
  }
}

/** @throws TangentError BAD_ARGUMENT for what is no audit. */
export function checkAudit(found: unknown): asserts found is Audit {
  const { kind } = (found ?? {}) as Partial<Audit>
  if (kind !== 'adaptive-tangent/audit') throw badArgument('audit', 'what audit() gave', found)
}

/** @throws TangentError BAD_ARGUMENT for what is no list of texts. */
function checkTexts(name: string, texts: unknown): void {
  if (Array.isArray(texts) && texts.every((text) => typeof text === 'string')) return
  throw badArgument(name, 'a list of texts', texts)
}

/** @throws TangentError BAD_ARGUMENT where no input of the network can be tokens. */
export function checkTokens(network: Network, tokens: unknown): void {
  checkTexts('options.tokens', tokens)
  if (network.inputs.some(({ type }) => type !== null && !/float/.test(type))) return
  throw mismatch('options.tokens', 'a network with an input of integers', 'one of floats alone')
}

/**
 * The names of an audit's classes, by label.
 * @throws TangentError BAD_INPUT for too few names, BAD_ARGUMENT for names where the targets are numbers.
 */
export function classNamesOf(
  classes: readonly number[] | null,
  names: readonly string[] | undefined,
): Map<number, string> {
  if (names === undefined) return new Map()
  checkTexts('options.classNames', names)
  if (!classes) throw mismatch('options.classNames', 'targets that are classes', 'numbers')
  const named = nameClasses(classes, names)
  return new Map(classes.map((label, place) => [label, named[place] as string]))
}

/** Tokens of a text that are shown. */
const mostTokens = 40

async function textsOf(
  network: Network,
  inputs: Inputs,
  samples: number[],
  tokens: readonly string[],
): Promise<ProbeThumbnails> {
  const { rows, ...declared } = await (cores.get(network) as Core).reading(inputs, 'x')
  const chosen = await samplesOf(rows, declared, samples)
  const arrays = isArray(chosen) || isSource(chosen) ? [chosen] : Object.values(chosen)
  const text = arrays.find(
    (array): array is NdArray => isArray(array) && !isFloat(array) && array.shape.length > 1,
  )
  if (!text) return thumbnailsOf(network, inputs, samples)
  const size = text.data.length / samples.length
  const word = (token: number) => tokens[token] ?? `#${token}`
  const texts = samples.map((_, i) => {
    const numbers = Array.from(text.data.slice(i * size, (i + 1) * size), Number)
    const shown = numbers.slice(0, mostTokens).map(word).join(' ')
    return numbers.length > mostTokens ? `${shown} …` : shown
  })
  return { samples, picture: null, texts }
}
