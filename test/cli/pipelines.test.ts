// Commands in pipelines: sources of every kind, results by the name's ending, pipes, progress, exit codes.
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createReadStream, createWriteStream } from 'node:fs'
import { mkdtemp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test, { type ExecutionContext } from 'ava'
import {
  decodeNpy,
  encodeNpy,
  isNpy,
  type NdArray,
  npyHeader,
  readArray,
  writeArray,
  writeNpy,
  writeSafetensors,
} from '../../lib/io/index.js'
import { mlp, samples } from '../support/networks.js'
import { Random } from '../support/random.js'

const main = fileURLToPath(new URL('../../lib/cli/main.js', import.meta.url))

interface Outcome {
  code: number | null
  stdout: Buffer
  stderr: string
}

async function cli(args: string[], stdin?: Uint8Array | string): Promise<Outcome> {
  const child = spawn(process.execPath, [main, ...args])
  const out: Buffer[] = []
  let stderr = ''
  child.stdout.on('data', (chunk) => out.push(chunk))
  child.stderr.on('data', (text) => {
    stderr += text
  })
  child.stdin.on('error', () => {})
  child.stdin.end(stdin)
  const [code] = await once(child, 'close')
  return { code, stdout: Buffer.concat(out), stderr }
}

/** A network, samples, a fit of it, in a folder of their own. */
async function setting(t: ExecutionContext) {
  const folder = await mkdtemp(join(tmpdir(), 'pipelines-'))
  t.teardown(() => rm(folder, { recursive: true }))
  const at = (name: string) => join(folder, name)
  const random = new Random(5)
  await writeFile(at('m.onnx'), mlp(random, [4, 6, 2]))
  const x = samples(random, [50, 4])
  await writeNpy(at('x.npy'), x)
  await writeNpy(at('y.npy'), samples(random, [50, 2]))
  return { at, x }
}

async function fitted(t: ExecutionContext) {
  const all = await setting(t)
  const { at } = all
  const args = ['--target', at('y.npy'), '--predict', at('x.npy'), '--ridge', '0.1']
  const done = await cli(['fit', at('m.onnx'), '--input', at('x.npy'), ...args, '--out', at('fit')])
  t.is(done.code, 0, done.stderr)
  return { ...all, truth: await readArray(at('fit/predictions.npy')) }
}

const numbers = ({ data }: NdArray) => Array.from(data as Float64Array, Number)

function same(t: ExecutionContext, found: NdArray, truth: NdArray, name: string) {
  const size = Math.max(...numbers(truth).map(Math.abs))
  const apart = numbers(found).map((value, e) => Math.abs(value - Number(truth.data[e])))
  t.is(found.data.length, truth.data.length, name)
  t.true(Math.max(...apart) <= 1e-6 * size, name)
}

test.serial('predict is the same of every source and into every form', async (t) => {
  const { at, x, truth } = await fitted(t)
  await writeArray(at('x.npz'), x)
  await writeArray(at('x.csv'), x)
  await writeArray(at('x.zarr'), x)
  await writeSafetensors(at('x.safetensors'), new Map([['x', x]]))
  for (const kind of ['npy', 'npz', 'csv', 'zarr', 'safetensors']) {
    const out = at(`p.${kind === 'safetensors' ? 'npy' : kind}`)
    const args = ['predict', at('fit'), at('m.onnx'), '--input', at(`x.${kind}`), '--out', out]
    const { code, stdout, stderr } = await cli([...args, '--json'])
    t.is(code, 0, stderr)
    t.deepEqual(JSON.parse(stdout.toString()), { shape: [50, 2], classes: null, file: out })
    const found = await readArray(out)
    t.deepEqual(found.shape, [50, 2])
    same(t, found, truth, kind)
  }
  // The same bytes as a fit writes; a model's file is as good as its folder.
  const own = ['predict', at('fit/model.safetensors'), at('m.onnx'), '--input', at('x.npy')]
  t.is((await cli([...own, '--out', at('q.npy'), '--quiet'])).stderr, '')
  t.deepEqual(await readFile(at('q.npy')), await readFile(at('fit/predictions.npy')))
})

const conventions = fileURLToPath(new URL('../../../test/conventions/', import.meta.url))

test.serial('inputs that samples share, and samples along other axes', async (t) => {
  const { at } = await setting(t)
  const random = new Random(6)
  const ids = { data: BigInt64Array.from({ length: 15 }, (_, e) => BigInt(e % 5)), shape: [5, 3] }
  await writeNpy(at('ids.npy'), ids)
  await writeNpy(at('scales.npy'), samples(random, [3]))
  await writeNpy(at('frames.npy'), samples(random, [5, 6]))
  await writeNpy(at('state.npy'), samples(random, [1, 5, 4]))
  await writeNpy(at('target.npy'), samples(random, [5]))
  const networks: [string, string[]][] = [
    ['scales.onnx', [`ids=${at('ids.npy')}`, `scales=${at('scales.npy')}`, '--shared', 'scales']],
    ['speech.onnx', [`input=${at('frames.npy')}`, `state=${at('state.npy')}`, 'sr=16000']],
  ]
  for (const [name, given] of networks) {
    const network = conventions + name
    const of = (option: string) =>
      given.flatMap((text) => (/=/.test(text) ? [option, text] : [text]))
    const fit = ['fit', network, ...of('--input'), ...of('--predict'), '--outputs', '0']
    const more = ['--features', 'fixed', '--ridge', '1', '--target', at('target.npy')]
    const done = await cli([...fit, ...more, '--out', at('other')])
    t.is(done.code, 0, done.stderr)
    const out = ['--out', at('other.npy')]
    const predicted = await cli(['predict', at('other'), network, ...of('--input'), ...out])
    t.is(predicted.code, 0, predicted.stderr)
    const truth = await readArray(at('other/predictions.npy'))
    t.deepEqual(truth.shape, [5])
    const found = await readArray(at('other.npy'))
    t.deepEqual(found.shape, [5, 1])
    same(t, found, truth, name)
  }
})

test.serial('arrays through pipes, from one command into the next', async (t) => {
  const { at, x, truth } = await fitted(t)
  const npy = Buffer.concat(encodeNpy(x))
  const predict = ['predict', at('fit'), at('m.onnx'), '--input', '-', '--out', '-']
  const done = await cli(predict, npy)
  t.is(done.code, 0, done.stderr)
  same(t, decodeNpy(done.stdout), truth, 'npy')
  t.regex(done.stderr, /Wrote predictions/)
  const csv = await cli([...predict, '--format', 'csv', '--quiet'], npy)
  t.is(csv.stderr, '')
  const lines = csv.stdout.toString().trim().split('\n')
  t.deepEqual(
    lines.map((line) => line.split(',').map(Number)),
    Array.from({ length: 50 }, (_, i) => numbers(truth).slice(2 * i, 2 * i + 2)),
  )
  await writeArray(at('x.csv'), x)
  const table = await readFile(at('x.csv'), 'utf8')
  const read = await cli([...predict, '--input-format', 'csv'], `a,b,c,d\n${table}`)
  t.is(read.code, 0, read.stderr)
  same(t, decodeNpy(read.stdout), truth, 'csv')
  // One command's output is the next one's input: outputs are samples of a network that takes two.
  await writeFile(at('next.onnx'), mlp(new Random(8), [2, 3, 1]))
  const program = `"${process.execPath}" "${main}"`
  const shell = `${program} run ${at('m.onnx')} --input ${at('x.npy')} --out - | ${program} run ${at('next.onnx')} --input - --out ${at('next.npy')}`
  execFileSync('bash', ['-o', 'pipefail', '-c', shell], { stdio: 'pipe' })
  t.deepEqual((await readArray(at('next.npy'))).shape, [50, 1])
  // A FIFO is read like standard input.
  execFileSync('mkfifo', [at('fifo')])
  const feeding = once(createReadStream(at('x.npy')).pipe(createWriteStream(at('fifo'))), 'close')
  const run = ['run', at('m.onnx'), '--input', at('fifo'), '--out', at('f.npy')]
  const [{ code, stderr }] = await Promise.all([cli(run), feeding])
  t.is(code, 0, stderr)
})

test.serial('a pipe that breaks is told, and leaves no file', async (t) => {
  const { at, x } = await fitted(t)
  const npy = Buffer.concat(encodeNpy(x))
  const predict = ['predict', at('fit'), at('m.onnx'), '--input', '-', '--out']
  const before = await readdir(at(''))
  const short = await cli([...predict, at('p.npy')], npy.subarray(0, npy.length - 4))
  t.is(short.code, 2)
  t.regex(short.stderr, /standard input ended before its rows did/)
  const none = await cli([...predict, at('p.npy')], '')
  t.is(none.code, 2)
  const fortran = Buffer.from(npy)
  fortran.write('True ', npy.indexOf('False'), 'latin1')
  const turned = await cli([...predict, at('p.npy')], fortran)
  t.is(turned.code, 2)
  t.regex(turned.stderr, /Fortran order/)
  t.deepEqual(await readdir(at('')), before)
  // Whoever reads the results goes away.
  const child = spawn(process.execPath, [main, ...predict, '-'])
  child.stdout.destroy()
  child.stdin.on('error', () => {})
  child.stdin.end(npy)
  let stderr = ''
  child.stderr.on('data', (text) => {
    stderr += text
  })
  const [code] = await once(child, 'close')
  t.is(code, 1)
  t.regex(stderr, /whoever read it has closed it/)
  t.notRegex(stderr, /\n {4}at /)
})

test.serial('what is larger than memory goes through in blocks', async (t) => {
  const { at } = await fitted(t)
  // 784 numbers a sample; holes of a file are zeros and take no disk.
  await writeFile(at('wide.onnx'), mlp(new Random(3), [784, 4, 1]))
  await writeNpy(at('w.npy'), samples(new Random(4), [8, 784]))
  await writeNpy(at('v.npy'), samples(new Random(4), [8, 1]))
  const fit = ['fit', at('wide.onnx'), '--input', at('w.npy'), '--target', at('v.npy')]
  t.is((await cli([...fit, '--ridge', '1', '--out', at('wide')])).code, 0)
  const peak = async (count: number) => {
    const head = npyHeader('float32', [count, 784])
    await writeFile(at('large.npy'), head)
    await truncate(at('large.npy'), head.length + 4 * 784 * count)
    const args = ['predict', at('wide'), at('wide.onnx'), '--input', at('large.npy')]
    const watch = `
      process.argv.splice(1, 0, ${JSON.stringify(main)})
      process.on('exit', () => console.error(process.resourceUsage().maxRSS))
      await import(${JSON.stringify(main)})`
    const options = ['--out', at('large.zarr'), '--threads', '1']
    const call = ['--input-type=module', '-e', watch, ...args, ...options]
    const child = spawn(process.execPath, call, { stdio: ['ignore', 'ignore', 'pipe'] })
    let stderr = ''
    child.stderr.on('data', (text) => {
      stderr += text
    })
    const [code] = await once(child, 'close')
    t.is(code, 0, stderr)
    t.deepEqual((await readArray(at('large.zarr'))).shape, [count, 1])
    return Number(stderr.trim().split('\n').at(-1)) / 1024
  }
  const [small, large] = [await peak(40_000), await peak(200_000)]
  // 478 MiB more in the file.
  t.true(large - small < 100, `${small} MiB, then ${large} MiB`)
})

const withArrays = ['run', 'ntk', 'average', 'jvp', 'predict']

function callOf(command: string, at: (name: string) => string): string[] {
  const input = ['--input', at('x.npy')]
  const direction = ['--direction', at('d.safetensors')]
  switch (command) {
    case 'predict':
      return ['predict', at('fit'), at('m.onnx'), ...input]
    case 'average':
      return ['average', at('m.onnx'), at('m.onnx'), ...input, '--points', '2', '--kernel', 'trace']
    case 'jvp':
      return ['jvp', at('m.onnx'), ...direction, ...input]
    case 'ntk':
      return ['ntk', at('m.onnx'), ...input, '--kernel', 'trace']
    default:
      return [command, at('m.onnx'), ...input]
  }
}

test.serial('arrays of all commands are in the form of their names', async (t) => {
  const { at } = await fitted(t)
  const bias = { data: Float32Array.of(1, 0), shape: [2] }
  await writeSafetensors(at('d.safetensors'), new Map([['l.1.bias', bias]]))
  for (const command of withArrays) {
    const forms: number[][] = []
    for (const kind of ['npy', 'npz', 'csv', 'zarr']) {
      const out = at(`${command}.${kind}`)
      const { code, stderr } = await cli([...callOf(command, at), '--out', out, '--quiet'])
      t.is(code, 0, `${command} ${kind}: ${stderr}`)
      const begins = kind === 'zarr' ? undefined : (await readFile(out)).subarray(0, 6)
      if (begins) t.is(isNpy(begins), kind === 'npy')
      forms.push(numbers(await readArray(out)).map(Math.fround))
    }
    for (const other of forms.slice(1)) t.deepEqual(other, forms[0], command)
    // Before any work: the network is not even there.
    const call = callOf(command, (name) => (name === 'm.onnx' ? at('none.onnx') : at(name)))
    for (const name of ['k.bin', 'k']) {
      const { code, stderr } = await cli([...call, '--out', at(name)])
      t.is(code, 2, `${command} ${name}`)
      t.regex(stderr, /ends in \.npy, \.npz, \.csv or \.zarr for --out/, command)
    }
    const mixed = await cli([...call, '--out', at('k.csv'), '--format', 'npy'])
    t.is(mixed.code, 2)
    t.regex(mixed.stderr, /--format npy/)
  }
  for (const [command, ...more] of [['jacobian'], ['ntk', '--by', 'layer']] as string[][]) {
    const call = [...callOf(command as string, at), ...more]
    for (const kind of ['npz', 'zarr']) {
      const out = at(`several.${kind}`)
      const { code, stderr } = await cli([...call, '--out', out, '--quiet'])
      t.is(code, 0, stderr)
      const member = command === 'ntk' ? 'l.1' : 'l.1.bias'
      const found = await readArray(`${out}#${member}`)
      t.is(found.shape[0], 50)
      await rm(out, { recursive: true })
    }
    const refused = await cli([...call, '--out', at('several.csv')])
    t.is(refused.code, 2)
    t.regex(refused.stderr, /gets several arrays/)
  }
})

test.serial('progress is JSON on standard error, and silent when asked', async (t) => {
  const { at } = await fitted(t)
  const calls = [
    callOf('ntk', at).concat('--out', at('k.npy')),
    callOf('predict', at).concat('--out', at('p.npy')),
    callOf('jacobian', at).concat('--out', at('j')),
    ['fit', at('m.onnx'), '--input', at('x.npy'), '--target', at('y.npy'), '--out', at('f')],
  ]
  for (const call of calls) {
    const { code, stdout, stderr } = await cli([...call, '--json'])
    t.is(code, 0, stderr)
    t.is(stdout.toString().trim().split('\n').length, 1)
    t.is(typeof JSON.parse(stdout.toString()), 'object')
    const events = stderr
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line))
    const progress = events.filter(({ event }) => event === 'progress')
    t.true(progress.length > 0, call[0])
    for (const { fraction, remaining, elapsed } of progress) {
      t.true(fraction >= 0 && fraction <= 1 && elapsed >= 0)
      t.true(remaining === null || remaining >= 0)
    }
    t.is(progress.at(-1)?.fraction, 1)
    if (call[0] === 'fit') t.true(events.some(({ event }) => event === 'iteration'))
    const quiet = await cli([...call, '--quiet'])
    t.deepEqual([quiet.code, quiet.stdout.toString(), quiet.stderr], [0, '', ''])
  }
})

test.serial('exit codes of all commands', async (t) => {
  const { at } = await fitted(t)
  await writeFile(at('bad.onnx'), 'not a network')
  const commands = ['info', 'run', 'jacobian', 'jvp', 'ntk', 'fit', 'average', 'align', 'probe']
  const rest: Record<string, string[]> = {
    info: [],
    jvp: ['--direction', at('none.safetensors'), '--out', at('o.npy'), '--input', at('x.npy')],
    fit: ['--target', at('y.npy'), '--input', at('x.npy'), '--out', at('o')],
    align: [at('m.onnx'), '--input', at('x.npy'), '--out', at('o')],
    average: [at('m.onnx'), '--input', at('x.npy'), '--out', at('o.npy')],
  }
  for (const command of [...commands, 'predict']) {
    const own = rest[command] ?? [
      '--input',
      at('x.npy'),
      '--out',
      at(command === 'run' || command === 'ntk' || command === 'predict' ? 'o.npy' : 'o'),
    ]
    const before = command === 'predict' ? [at('fit')] : []
    const [none, bad, nonsense, empty] = await Promise.all([
      cli([command, ...before, at('none.onnx'), ...own]),
      cli([command, ...before, at('bad.onnx'), ...own, '--json']),
      cli([command, '--nonsense']),
      cli([command]),
    ])
    t.is(none.stderr.trim().split('\n').length, 1, none.stderr)
    t.is(typeof JSON.parse(bad.stdout.toString()).error.code, 'string')
    for (const { code, stderr } of [none, bad, nonsense, empty]) t.is(code, 2, stderr)
  }
  t.is((await cli(['nonsense'])).code, 2)
})

test.serial('interrupted in the middle: 130, and nothing is left', async (t) => {
  const { at } = await fitted(t)
  const child = spawn(process.execPath, [
    main,
    ...['predict', at('fit'), at('m.onnx'), '--input', '-', '--out', at('p.npy')],
  ])
  const head = npyHeader('float32', [100000, 4])
  child.stdin.on('error', () => {})
  child.stdin.write(head)
  child.stdin.write(Buffer.alloc(16 * 6000))
  // The first block is written.
  for (let wait = 0; wait < 600; wait += 1) {
    if ((await readdir(at(''))).some((name) => name.endsWith('.tmp'))) break
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
  child.kill('SIGINT')
  const [code] = await once(child, 'close')
  t.is(code, 130)
  t.false((await readdir(at(''))).some((name) => name.startsWith('p.') || name.endsWith('.tmp')))
})
