import type { Floats } from '../io/index.js'
import type { Job } from '../runtime/jobs/index.js'
import { compute } from './derive.js'
import type { ParameterArrays } from './jacobian.js'
import type { Prepared } from './prepared.js'

/** Runs a job whose results are one array of each parameter's own shape. */
export async function gradient(
  prepared: Prepared,
  job: Job<'vjp' | 'normal'>,
): Promise<ParameterArrays<Floats>> {
  const parameters = prepared.core.architecture.active.map(({ parameter }) => parameter)
  const total = parameters.reduce((sum, { count }) => sum + count, 0)
  const { blocks } = await compute(
    prepared,
    parameters.map(({ count }) => count),
    job,
    { what: `A product with ${total} parameters`, fits: () => 'freeze some parameters' },
  )
  return new Map(
    parameters.map(({ name, shape }, p) => [
      name,
      { data: (blocks[p] as (typeof blocks)[number]).data, shape: [...shape] },
    ]),
  )
}
