// `npm run bench -- device [WORKLOAD …]`: what a card would be asked for, counted, against what data sheets say
// of one: docs/gpu.md. Nothing here is a time that was measured.
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { Counted } from './count.js'
import { workloads } from './workloads.js'

/** NVIDIA's data sheets: float32 without tensor cores in FLOP/s, memory in bytes/s. */
const CARDS = [
  { name: 'H100', flops: 67e12, memory: 3.35e12 },
  { name: 'H200', flops: 67e12, memory: 4.8e12 },
]
/** PCI Express of generation 5 by 16 lanes one way, 64 GB/s less its protocol; bytes/s. */
const TRAFFIC = 55e9
/** Seconds between two launches of a stream that is not waited for: an assumption, on no data sheet. */
const LAUNCH = 4e-6

const print = (line = '') => process.stdout.write(`${line}\n`)

function counted(name: string): Counted | string {
  const script = fileURLToPath(new URL('count.js', import.meta.url))
  const { stdout, stderr, status } = spawnSync(process.execPath, [script, name], {
    encoding: 'utf8',
    maxBuffer: 2 ** 26,
  })
  if (status !== 0) return stderr.match(/^\w*Error: ([^;\n]*)/m)?.[1] ?? 'failed'
  return JSON.parse(stdout)
}

/** 1,234 or 1.2 of a unit of so many. */
const inUnits = (number: number, unit: number) => {
  const value = number / unit
  return value >= 100 ? Math.round(value).toLocaleString('en') : value.toPrecision(2)
}
const inMilliseconds = (seconds: number) => `${inUnits(seconds, 1e-3)} ms`

function bounds({ flops, bytes, bytesUp, bytesDown, launches, products }: Counted) {
  const [h100, h200] = CARDS.map((card) => bytes / card.memory) as [number, number]
  return {
    flops: flops / (CARDS[0]?.flops as number),
    ...{ h100, h200 },
    traffic: (bytesUp + bytesDown) / TRAFFIC,
    launches: (launches + products) * LAUNCH,
  }
}

const names = process.argv.slice(2)
const chosen = workloads.filter(({ name }) => names.length === 0 || names.includes(name))
if (chosen.length === 0 || chosen.length < names.length) {
  process.stderr.write(
    `Expected workloads among ${workloads.map(({ name }) => name).join(', ')} but received ${names.join(', ')}\n`,
  )
  process.exit(2)
}

const results = chosen.map(({ name, title }) => {
  process.stderr.write(`${name} …\n`)
  return { title, result: counted(name) }
})

print(
  '| workload | launches | products | TFLOP | GB read and written | GB up | GB down | most GB |',
)
print('| --- | --- | --- | --- | --- | --- | --- | --- |')
for (const { title, result } of results) {
  if (typeof result === 'string') {
    print(`| ${title} | ${result} | | | | | | |`)
    continue
  }
  const cells = [
    title,
    result.launches.toLocaleString('en'),
    result.products.toLocaleString('en'),
    inUnits(result.flops, 1e12),
    inUnits(result.bytes, 1e9),
    inUnits(result.bytesUp, 1e9),
    inUnits(result.bytesDown, 1e9),
    inUnits(result.mostBytes, 1e9),
  ]
  print(`| ${cells.join(' | ')} |`)
}
print()
print(
  '| workload | products | memory, H100 | memory, H200 | traffic | launches | FLOPs / cheapest |',
)
print('| --- | --- | --- | --- | --- | --- | --- |')
for (const { title, result } of results) {
  if (typeof result === 'string') continue
  const { flops, h100, h200, traffic, launches } = bounds(result)
  const most = Math.max(flops, h200, traffic, launches)
  const marked = (seconds: number) =>
    seconds === most ? `**${inMilliseconds(seconds)}**` : inMilliseconds(seconds)
  const share = result.cheapest === null ? '' : (result.flops / result.cheapest).toFixed(2)
  print(
    `| ${[title, marked(flops), inMilliseconds(h100), marked(h200), marked(traffic), marked(launches), share].join(' | ')} |`,
  )
}
print()
for (const { title, result } of results) {
  if (typeof result === 'string') continue
  const served = result.onHost.length > 0 ? `; on the processor: ${result.onHost.join(', ')}` : ''
  print(`- ${title}: results ${result.blocks}${served}`)
}
