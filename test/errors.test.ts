import test from 'ava'
import { wholeNumber } from '../lib/core/errors.js'

test('a whole number is refused with its range', (t) => {
  const cases: [value: number, low: number, high: number | undefined, RegExp][] = [
    [0, 1, undefined, /^Expected a whole number ≥ 1 for options\.k but received 0 of type number$/],
    [2.5, 0, undefined, /≥ 0 for options\.k but received 2\.5 /],
    [Number.NaN, 0, undefined, /received NaN /],
    [
      2 ** 53,
      0,
      undefined,
      /from 0 to 9007199254740991 for options\.k but received 9007199254740992 /,
    ],
    [11, 1, 10, /a whole number from 1 to 10 for options\.k but received 11 /],
  ]
  for (const [value, low, high, message] of cases) {
    t.throws(() => wholeNumber('options.k', value, low, high), { code: 'BAD_ARGUMENT', message })
  }
  t.notThrows(() => wholeNumber('options.k', 10, 1, 10))
  t.throws(() => wholeNumber('options.k', '3' as never, 1), {
    message: /received "3" of type string/,
  })
})
