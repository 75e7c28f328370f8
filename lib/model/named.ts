import type { Parameter } from './parameters.js'

const known = new WeakMap<readonly Parameter[], ReadonlyMap<string, Parameter>>()

/** A parameter by its name or, failing that, its label; found in a map made once for a list. */
export function parameterNamed(
  parameters: readonly Parameter[],
  name: string,
): Parameter | undefined {
  let named = known.get(parameters)
  if (!named) {
    const all = [...parameters].reverse()
    named = new Map(
      [...all.map((entry) => [entry.label, entry] as const)].concat(
        all.map((entry) => [entry.name, entry] as const),
      ),
    )
    known.set(parameters, named)
  }
  return named.get(name)
}
