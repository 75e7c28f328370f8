// A small part of what `npm run fuzz` tries: never a crash, never a hang, always a typed error or a
// right answer.
import test from 'ava'
import { campaign } from './campaign.js'

test('300 changed models', async (t) => {
  t.timeout(600_000)
  const { counts, faults } = await campaign({
    first: 0,
    count: 300,
    processes: 2,
    timeout: 120_000,
  })
  t.log(Object.fromEntries(counts))
  t.deepEqual(faults, [])
  t.true((counts.get('right') ?? 0) > 20)
  t.true((counts.get('BAD_FILE') ?? 0) > 50)
})
