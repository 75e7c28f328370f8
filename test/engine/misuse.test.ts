// Whatever is handed to a public call by mistake: one sentence with a code, never a TypeError.
import test from 'ava'
import { calls, setUp, tearDown } from '../support/public-calls.js'

test.before(setUp)
test.after.always(tearDown)

const junk: Record<string, unknown> = {
  null: null,
  'a symbol': Symbol('s'),
  'a function': () => undefined,
  // No path that anything can be written to.
  text: '/dev/null/nonsense',
  'a negative number': -3,
  'no number': Number.NaN,
  infinity: Number.POSITIVE_INFINITY,
  'a fraction': 1.5,
  true: true,
  'an integer': 7n,
  'an object': {},
  'an object without a prototype': Object.create(null),
  'an empty list': [],
  'a list of junk': [null, 'a', {}],
  'a date': new Date(0),
  'a Map of junk': new Map([['l.0.bias', null]]),
  'an array without a shape': { data: new Float32Array(6) },
  'an array of a wrong shape': { data: new Float32Array(6), shape: [2, 2] },
  'an array with a shape of junk': { data: new Float32Array(6), shape: 'six' },
  'plain numbers as data': { data: [1, 2, 3], shape: [1, 3] },
  'an empty array': { data: new Float32Array(), shape: [0, 3] },
  'an array of rank 0': { data: new Float32Array(1), shape: [] },
  'integers of 64 bits': { data: new BigInt64Array(18), shape: [6, 3] },
}

const told =
  /^(BAD_ARGUMENT|BAD_INPUT|BAD_FILE|UNSUPPORTED|MEMORY_BUDGET|FAILED|NUMERICAL|TOO_LARGE)$/

/** What is wrong with how a call takes an argument; undefined where it works or says so. */
async function fault(call: () => unknown): Promise<string | undefined> {
  try {
    await call()
  } catch (error) {
    const { name, code, message, stack } = error as Error & { code?: string }
    if (name === 'TangentError' && told.test(code ?? '')) return undefined
    const at = /\/lib\/[^\n)]*/.exec(stack ?? '')?.[0] ?? ''
    return `${name} ${code ?? ''} ${message} ${at}`
  }
  return undefined
}

for (const [name, { args, call, options }] of Object.entries(calls)) {
  test(`${name}: wrong arguments and options`, async (t) => {
    const right = await fault(() => call(...args()))
    t.is(right, undefined)
    const count = args().length
    const found: string[] = []
    const note = (what: string, said: string | undefined) => {
      if (said !== undefined) found.push(`${what}: ${said}`)
    }
    for (const [kind, value] of Object.entries(junk)) {
      for (let k = 0; k < count; k += 1) {
        const given = args()
        given[k] = value
        note(`argument ${k}, ${kind}`, await fault(() => call(...given)))
      }
      for (const option of options?.split(' ') ?? []) {
        const given = args()
        given[count - 1] = { ...given[count - 1], [option]: value }
        note(`options.${option}, ${kind}`, await fault(() => call(...given)))
      }
    }
    t.deepEqual(found, [])
  })
}
