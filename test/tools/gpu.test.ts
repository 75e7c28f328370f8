// The tables of docs/gpu.md are those of a run on a card, and of nothing else.
import test from 'ava'

const { drawn } = (await import(
  new URL('../../../scripts/gpu/draw.mjs', import.meta.url).href
)) as { drawn(report: object): string }

const report = {
  device: 'cuda:0',
  state: 'run on a card',
  date: '2030-01-02T03:04:05.000Z',
  commit: 'abc1234',
  driver: 'CUDA 13.0',
  machine: { processor: 'a processor', cores: 16 },
  card: { card: 'NVIDIA H200' },
  rates: { float32: 50e12, float64: 60e12 },
  steps: [
    { name: 'references', seconds: 3.2, ok: true, passed: 8, failed: 0 },
    { name: 'benchmark cnn', seconds: 1, ok: false, note: 'it was ended at its time limit' },
  ],
  benchmark: [
    {
      title: 'a network',
      times: [{ seconds: 0.5 }, { seconds: 0.4 }],
      counts: { flops: 9e12, mostBytes: 2e9 },
      cheapest: 8e12,
      torch: 'out of memory',
    },
  ],
}

test('a run on a card is drawn with its share of cuBLAS’s rate', (t) => {
  const text = drawn(report)
  t.true(
    text.includes('NVIDIA H200, driver CUDA 13.0, a processor (16 cores), 2030-01-02, abc1234'),
  )
  t.true(text.includes('| references | 8 | 0 | 3.2 |'))
  t.true(text.includes('| benchmark cnn (it was ended at its time limit) | no |  | 1 |'))
  // 8 TFLOP in 0.4 s: 20 TFLOP/s, 40 % of 50.
  t.true(text.includes('| a network | 0.4 | 20 | 40 % | 2 | out of memory |  |'))
})

test('of a dry run nothing is drawn', (t) => {
  const dry = { ...report, device: 'emulated', state: 'a dry run on the emulated device: no card' }
  t.throws(() => drawn(dry), { message: /a dry run .* shows those of cards$/ })
})
