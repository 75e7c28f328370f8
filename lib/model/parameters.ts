// The parameters of a network: which they are, and which of them are differentiated.

import { badArgument, TangentError } from '../core/errors.js'
import { didYouMean } from '../core/nearest.js'
import { shapeSize } from '../core/shape.js'
import { readableName } from '../graph/names.js'
import type { PreparedGraph, Weight } from '../graph/prepare.js'
import type { NativeAnalysis } from '../native/index.js'

/** A parameter of the network: what the tangent features are taken with respect to. */
export interface Parameter {
  /** Name in the file. */
  readonly name: string
  /** Name to show: `name`, or one made from the module where an exporter renamed it. */
  readonly label: string
  /** The module that owns it. */
  readonly layer: string
  readonly shape: readonly number[]
  /** Numbers in it. */
  readonly count: number
  readonly dtype: 'float32' | 'float64'
  /** Nodes that read it. Of a weight with several uses the features are the sum over them. */
  readonly uses: number
  /** Left out of all derivatives by the caller. */
  readonly frozen: boolean
  /** Initializer that holds the numbers, where several parameters share one (`Identity` copies). */
  readonly source: string
}

/** Chooses parameters: names, patterns, or a function. */
export type Selector =
  | string
  | RegExp
  | readonly (string | RegExp)[]
  | ((parameter: Omit<Parameter, 'frozen'>) => boolean)

/** Which of the parameters are differentiated, and in what precision. */
export interface ParameterOptions {
  float64?: boolean | undefined
  parameters?: Selector | undefined
  frozen?: Selector | undefined
}

export interface KnownParameter {
  parameter: Parameter
  weight: Weight
}

/** The parameters on a path to the output, in the file's order, those left out marked. */
export function selectParameters(
  { weights }: PreparedGraph,
  analysis: NativeAnalysis,
  options: ParameterOptions,
): KnownParameter[] {
  const byId = new Map(weights.map((weight) => [weight.id, weight]))
  const described = analysis.parameters.map((id) => {
    const weight = byId.get(id) as Weight
    const { layer, label } = readableName(weight.name, weight.consumer, weight.position)
    const { name, shape, source, uses } = weight
    const count = shapeSize(shape)
    return {
      weight,
      parameter: {
        name,
        label,
        layer,
        shape,
        count,
        dtype: options.float64 ? 'float64' : 'float32',
        uses,
        source,
      } as const,
    }
  })
  const all = described.map(({ parameter }) => parameter)
  const wanted = selection(options.parameters, all, 'options.parameters')
  const frozen = selection(options.frozen, all, 'options.frozen')
  return described.map(({ weight, parameter }) => {
    const left = (wanted && !wanted.has(parameter.name)) || frozen?.has(parameter.name)
    return { weight, parameter: { ...parameter, frozen: left ?? false } }
  })
}

/** Names of the parameters that a selector means; undefined without one. */
function selection(
  selector: Selector | undefined,
  parameters: readonly Omit<Parameter, 'frozen'>[],
  option: string,
): Set<string> | undefined {
  if (selector === undefined) return undefined
  if (typeof selector === 'function') {
    return new Set(parameters.filter((entry) => selector(entry)).map(({ name }) => name))
  }
  const names = new Set<string>()
  for (const entry of Array.isArray(selector) ? selector : [selector]) {
    if (typeof entry !== 'string' && !(entry instanceof RegExp)) {
      throw badArgument(option, 'names of parameters, patterns or a function', entry)
    }
    const found = parameters.filter(({ name, label }) =>
      typeof entry === 'string'
        ? name === entry || label === entry
        : matches(entry, name) || matches(entry, label),
    )
    if (typeof entry === 'string' && found.length === 0) {
      const names = parameters.flatMap(({ name, label }) => [...new Set([name, label])])
      const error = badArgument(option, 'a parameter of the network', entry)
      throw new TangentError(error.code, `${error.message}${didYouMean(entry, names)}`)
    }
    for (const { name } of found) names.add(name)
  }
  return names
}

/** Does the pattern match, whatever its flags and state? */
function matches(pattern: RegExp, text: string): boolean {
  return text.search(pattern) >= 0
}
