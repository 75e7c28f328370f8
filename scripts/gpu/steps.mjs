// What `npm run gpu:check` does on the machine with the card, one step after the other, in the folder that was
// packed: node scripts/gpu/steps.mjs --device cuda:0 --out FOLDER [--minutes 8]. It needs what is in that folder
// and nothing else; compute-sanitizer and PyTorch are used where they are. Writes FOLDER/gpu.json after
// every step, so that what was done is there whatever comes.
import { spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { cpus, totalmem } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

const root = fileURLToPath(new URL('../..', import.meta.url)).replace(/\/$/, '')
const { values } = parseArgs({
  options: {
    device: { type: 'string', default: 'cuda:0' },
    out: { type: 'string', default: root },
    minutes: { type: 'string', default: '8' },
  },
})
const { device, out } = values
const isCard = device.startsWith('cuda')
const end = Date.now() + 60e3 * Number(values.minutes)
const secondsLeft = () => Math.max(0, (end - Date.now()) / 1000)

/**
 * @typedef {{ name: string, seconds: number, ok: boolean, passed?: number, failed?: number, note?: string }} Step
 */
const report = {
  format: 1,
  date: new Date().toISOString(),
  .../** @type {{ version: string, commit: string, tests: Record<'references' | 'cases' | 'solver', string[]> }} */ (
    JSON.parse(readFileSync(join(root, 'gpu.json'), 'utf8'))
  ),
  device,
  state: isCard ? 'run on a card' : 'a dry run on the emulated device: no card',
  machine: {
    processor: cpus()[0]?.model ?? '',
    cores: cpus().length,
    memory: totalmem(),
    node: process.version,
  },
  card: /** @type {object | null} */ (null),
  /** @type {Step[]} */
  steps: [],
  /** @type {object[]} */
  benchmark: [],
  /** FLOP/s of cuBLAS's own products, by PyTorch. @type {object | null} */
  rates: null,
}

const write = () => writeFileSync(join(out, 'gpu.json'), `${JSON.stringify(report, null, 2)}\n`)

/**
 * @param {string} command
 * @param {string[]} args
 * @param {number} most seconds
 * @param {NodeJS.ProcessEnv} [env]
 */
function run(command, args, most, env = {}) {
  const timeout = 1000 * Math.max(1, Math.min(most, secondsLeft()))
  const done = spawnSync(command, args, {
    cwd: root,
    encoding: 'utf8',
    timeout,
    maxBuffer: 2 ** 28,
    env: { ...process.env, AT_TEST_DEVICE: device, ...env },
  })
  const late = done.error && 'code' in done.error && done.error.code === 'ETIMEDOUT'
  return { ...done, ok: done.status === 0, late: Boolean(late) }
}

/**
 * @param {string} name
 * @param {() => Omit<Step, 'name' | 'seconds'>} work
 */
function step(name, work) {
  const start = Date.now()
  /** @type {Omit<Step, 'name' | 'seconds'>} */
  let result = { ok: false, note: 'no time was left' }
  if (secondsLeft() > 5) result = work()
  const entry = { name, seconds: Math.round((Date.now() - start) / 100) / 10, ...result }
  report.steps.push(entry)
  write()
  const { ok, passed, failed, note } = entry
  const counts = passed === undefined ? '' : `, ${passed} passed, ${failed} failed`
  process.stdout.write(
    `${ok ? 'ok' : 'not ok'} - ${name} (${entry.seconds} s${counts})${note ? `: ${note}` : ''}\n`,
  )
}

/** @param {string | undefined} text */
const lastLine = (text) => text?.trim().split('\n').at(-1) ?? ''

/** The unit tests of the C++ code that run on a device. */
const NATIVE = '--test-case=device: *,*on a device*'
/** Of these what compute-sanitizer, which makes everything many times slower, watches. */
const WATCHED = '--test-case=device: products*,device: functions over rows*,device: Cholesky*'

/** @param {{ stdout: string, stderr: string, ok: boolean, late: boolean }} done */
function nativeCounts({ stdout, stderr, ok, late }) {
  const [, passed, failed] = stdout.match(/test cases:.*\| +(\d+) passed \| +(\d+) failed/) ?? []
  return {
    ok: ok && Number(passed) > 0,
    passed: Number(passed ?? 0),
    failed: Number(failed ?? 0),
    ...(ok ? {} : { note: late ? 'it was ended at its time limit' : lastLine(stderr || stdout) }),
  }
}

/**
 * @param {string[]} files
 * @param {number} most seconds
 */
function ava(files, most) {
  if (files.length === 0) return { ok: false, note: 'there are no such tests' }
  const program = join(root, 'node_modules/ava/entrypoints/cli.mjs')
  const args = [program, '--tap', '--timeout=4m', '--concurrency', String(cpus().length), ...files]
  const { stdout, stderr, ok, late } = run(process.execPath, args, most)
  const lines = stdout.split('\n')
  const failed = lines.filter((line) => /^not ok\b/.test(line))
  const passed = lines.filter((line) => /^ok\b/.test(line)).length
  writeFileSync(join(out, `${files[0]?.split('/').at(-1)}.tap`), stdout + stderr)
  const note = late ? 'it was ended at its time limit' : failed.slice(0, 5).join('; ')
  return { ok: ok && passed > 0, passed, failed: failed.length, ...(note ? { note } : {}) }
}

mkdirSync(out, { recursive: true })
write()

step('the device as the addon finds it', () => {
  const main = join(root, 'dist/lib/cli/main.js')
  const { stdout, stderr } = run(process.execPath, [main, 'doctor', '--json'], 60)
  const text = stdout.trim()
  if (!text.startsWith('{')) return { ok: false, note: lastLine(stderr) }
  const found = JSON.parse(text)
  report.card = found.devices.find((/** @type {any} */ each) => each.name === device) ?? null
  Object.assign(report, { driver: found.driver })
  if (!isCard) return { ok: true, note: `${found.devices[1]?.name}: ${found.devices[1]?.why}` }
  const works = report.card !== null && 'works' in report.card && report.card.works === true
  return { ok: works, ...(works ? {} : { note: lastLine(JSON.stringify(found.devices)) }) }
})
step('unit tests of the C++ code', () =>
  nativeCounts(run(join(root, 'native_tests'), [NATIVE, '--no-colors'], 90)),
)
step('a subset under compute-sanitizer', () => {
  const program = join(root, 'native_tests')
  const tests = [program, WATCHED, '--no-colors']
  const tool = run('compute-sanitizer', ['--version'], 20)
  if (!isCard || tool.error) {
    const why = isCard ? 'compute-sanitizer is not there' : 'it needs a card'
    const counts = nativeCounts(run(program, tests.slice(1), 60))
    return { ...counts, ok: counts.ok && !isCard, note: `without compute-sanitizer: ${why}` }
  }
  const words = ['--tool', 'memcheck', '--error-exitcode', '9', ...tests]
  return nativeCounts(run('compute-sanitizer', words, 90))
})
const { references, cases, solver } = report.tests
step('references', () => ava(references, 90))
step('the case table', () => ava(cases, isCard ? 120 : 1200))
step('the solver', () => ava(solver, isCard ? 90 : 600))

// --- The benchmark: each workload in a process of its own, then PyTorch's way on the same card.
const bench = join(root, 'dist/bench/device')
const python = run('python3', ['-c', 'import torch; print(torch.cuda.is_available())'], 60)
const hasTorch = python.stdout?.trim() === 'True' && isCard

step('cuBLAS’s own rates, by PyTorch', () => {
  if (!hasTorch) return { ok: !isCard, note: 'PyTorch with a card is not there' }
  const { stdout, stderr, ok } = run(
    'python3',
    [join(root, 'bench/device/torch_card.py'), 'rates'],
    60,
  )
  if (ok) report.rates = JSON.parse(lastLine(stdout))
  return { ok, ...(ok ? {} : { note: lastLine(stderr) }) }
})

const list = run(process.execPath, [join(bench, 'measure.js'), '--list', device], 60)
for (const { name, samples, peer } of JSON.parse(list.stdout || '[]')) {
  step(`benchmark ${name}`, () => {
    const folder = join(out, `bench-${name}`)
    const args = [join(bench, 'measure.js'), name, device, String(samples), folder]
    const { stdout, stderr, ok, late } = run(process.execPath, args, 60)
    if (!ok) return { ok, note: late ? 'it was ended at its time limit' : lastLine(stderr) }
    const ours = JSON.parse(lastLine(stdout))
    /** @type {object | string} */
    let torch = 'not tried'
    if (hasTorch && peer) {
      const words = [join(root, 'bench/device/torch_card.py'), 'kernel', folder]
      const done = run('python3', words, 45)
      const memory = /out of memory/i.test(done.stderr ?? '')
      const why = memory ? 'out of memory' : lastLine(done.stderr)
      torch = done.ok ? JSON.parse(lastLine(done.stdout)) : done.late ? 'not done in 45 s' : why
    }
    report.benchmark.push({ ...ours, torch })
    return { ok: true }
  })
}
const failed = report.steps.filter(({ ok }) => !ok).length
process.stdout.write(
  `\n${report.state}; ${report.steps.length - failed} passed, ${failed} failed\n`,
)
process.exitCode = failed > 0 ? 1 : 0
