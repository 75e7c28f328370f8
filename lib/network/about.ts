// What a network tells of itself.
import type { Architecture } from '../model/architecture.js'
import { normalDomain } from '../onnx/index.js'

/** The operators of the graph and how often each occurs. */
export function operatorsOf({ graph }: Architecture): Map<string, number> {
  const counts = new Map<string, number>()
  for (const { opType, domain } of graph.nodes) {
    const normal = normalDomain(domain)
    const name = normal === '' ? opType : `${normal}::${opType}`
    counts.set(name, (counts.get(name) ?? 0) + 1)
  }
  return counts
}

/** What was changed when the file was read, and how samples are run, in sentences. */
export function notesOf({ model, inputs, likely, whole, notes }: Architecture): string[] {
  const all = 'All samples of a call are run in one batch and are one input of the function.'
  if (whole) return [...model.notes, ...notes, all]
  const one = 'The file fixes the batch at one sample: samples are run one by one.'
  const single = likely.some(
    (place, k) => place === 'one' || (place !== 'shared' && inputs[k]?.shape?.[place] === 1),
  )
  return [...model.notes, ...notes, ...(single ? [one] : [])]
}

/** One sentence that says why derivatives are not possible, or null. */
export function problemOf(architecture: Architecture): string | null {
  try {
    architecture.checkSupported()
    return null
  } catch (error) {
    return (error as Error).message
  }
}
