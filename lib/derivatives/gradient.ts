import type { Floats } from '../io/index.js'
import type { Job } from '../runtime/jobs/index.js'
import { execute, type Planned } from './derive.js'
import type { ParameterArrays } from './jacobian.js'
import type { Prepared } from './prepared.js'

/** A job whose results are one array of each parameter's own shape. */
export function planGradient(prepared: Prepared, job: Job<'vjp' | 'normal'>): Planned {
  const parameters = prepared.core.architecture.active.map(({ parameter }) => parameter)
  const total = parameters.reduce((sum, { count }) => sum + count, 0)
  return {
    prepared,
    job,
    results: parameters.map(({ name, shape }) => ({ name, shape })),
    words: { what: `A product with ${total} parameters`, fits: () => 'freeze some parameters' },
  }
}

export async function gradient(planned: Planned): Promise<ParameterArrays<Floats>> {
  const { arrays } = await execute(planned)
  return new Map(
    planned.results.map(({ name, shape }, p) => [
      name,
      { data: (arrays[p] as (typeof arrays)[number]).data, shape: [...shape] },
    ]),
  )
}
