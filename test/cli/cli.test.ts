// The command line from end to end, as its contract has it.
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test, { type ExecutionContext } from 'ava'
import { type NdArray, readNpy, readTensor, writeNpy } from '../../lib/index.js'
import { near } from '../support/near.js'
import { mlp, samples } from '../support/networks.js'
import { floats, model } from '../support/onnx.js'
import { Random } from '../support/random.js'
import { fixture, reference } from '../support/reference.js'

const main = fileURLToPath(new URL('../../lib/cli/main.js', import.meta.url))

interface Outcome {
  code: number
  stdout: string
  stderr: string
}

function cli(...args: string[]): Promise<Outcome> {
  return new Promise((resolve) => {
    execFile(process.execPath, [main, ...args], (error, stdout, stderr) => {
      resolve({ code: error ? Number(error.code) : 0, stdout, stderr })
    })
  })
}

async function folder(t: ExecutionContext): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'adaptive-tangent-'))
  t.teardown(() => rm(path, { recursive: true }))
  return path
}

const trained = ['mlp_trained', 'model.onnx'] as const
const input = fixture('mlp_trained', 'input_0.pb')

test.serial('ntk, run and jacobian write the reference figures', async (t) => {
  const out = await folder(t)
  const truth = await reference('mlp_trained')
  const kernel = join(out, 'deep/er/K.npy')
  const done = await cli('ntk', fixture(...trained), '--input', input, '--out', kernel)
  t.is(done.code, 0, done.stderr)
  t.regex(done.stdout, /\(6, 10, 6, 10\)/)
  near(t, await readNpy(kernel), truth.ntk, 1e-5)

  const y = join(out, 'y.npy')
  const ran = await cli(
    'run',
    fixture(...trained),
    '--input',
    `input=${input}`,
    '--out',
    y,
    '--json',
  )
  t.is(ran.code, 0, ran.stderr)
  t.deepEqual(JSON.parse(ran.stdout), { output: 'output', shape: [6, 10], file: y })
  near(t, await readNpy(y), truth.output, 1e-5)

  const jacobian = join(out, 'jacobian')
  const args = ['--input', input, '--out', jacobian, '--quiet']
  const differentiated = await cli('jacobian', fixture(...trained), ...args)
  t.deepEqual(differentiated, { code: 0, stdout: '', stderr: '' })
  const index = JSON.parse(readFileSync(join(jacobian, 'parameters.json'), 'utf8'))
  t.is(index.length, 10)
  t.deepEqual(index[0], { name: 'net.1.weight', shape: [128, 784], file: 'net.1.weight.npy' })
  for (const { name, file } of index) {
    const stored = await truth.jacobian(name)
    if (stored) near(t, await readNpy(join(jacobian, file)), stored, 1e-5, name)
  }
})

test.serial('ntk by layer, of two inputs, of another kind', async (t) => {
  const out = await folder(t)
  const common = ['ntk', fixture(...trained), '--input', input]
  const layers = join(out, 'layers')
  const done = await cli(...common, '--by', 'layer', '--kernel', 'trace', '--out', layers)
  t.is(done.code, 0, done.stderr)
  const index = JSON.parse(readFileSync(join(layers, 'kernels.json'), 'utf8'))
  t.deepEqual(
    index.map(({ name }: { name: string }) => name),
    ['net.1', 'net.3', 'net.5', 'net.7', 'net.9'],
  )
  const total = join(out, 'total.npy')
  await cli(
    ...common,
    '--input2',
    input,
    '--kernel',
    'trace',
    '--method',
    'products',
    '--out',
    total,
  )
  const sum = new Float64Array(36)
  for (const { file } of index) {
    const part = await readNpy(join(layers, file))
    part.data.forEach((value, e) => {
      sum[e] = (sum[e] as number) + Number(value)
    })
  }
  near(t, await readNpy(total), { data: sum, shape: [6, 6] }, 1e-5)

  const diagonal = join(out, 'diagonal.npy')
  const subset = [
    '--kernel',
    'diagonal',
    '--outputs',
    '3,1',
    '--freeze',
    'net.1.weight',
    '--threads',
    '1',
  ]
  const part = await cli(...common, ...subset, '--memory', '200MB', '--out', diagonal)
  t.is(part.code, 0, part.stderr)
  t.deepEqual((await readNpy(diagonal)).shape, [6, 6, 2])
})

test.serial('arrays of other kinds', async (t) => {
  const out = await folder(t)
  const x = await readTensor(input)
  const wide: NdArray = { data: Float64Array.from(x.data as Float32Array), shape: x.shape }
  const file = join(out, 'x.npy')
  await writeNpy(file, wide)
  const y = join(out, 'y.npy')
  t.is((await cli('run', fixture(...trained), '--input', file, '--out', y)).code, 0)
  near(t, await readNpy(y), (await reference('mlp_trained')).output, 1e-5)
})

test.serial('info tells all there is, of unsupported networks too', async (t) => {
  const out = await folder(t)
  const words = await cli('info', fixture('resnet8_bn', 'model.onnx'))
  t.is(words.code, 0, words.stderr)
  t.regex(words.stdout, /input\s+float32 \(N, 1, 28, 28\)/)
  t.regex(words.stdout, /l\.1\.sc\.1\.bias .*copy of l\.1\.b2\.bias/)
  const { stdout } = await cli('info', fixture('resnet8_bn', 'model.onnx'), '--json')
  const info = JSON.parse(stdout)
  const { oracle } = await reference('resnet8_bn')
  t.deepEqual(
    Object.fromEntries(
      info.parameters.map((p: { name: string; shape: number[] }) => [p.name, p.shape]),
    ),
    oracle.parameters,
  )
  t.is(info.count, oracle.parameter_count)
  t.true(info.supported)
  t.is(info.operators.BatchNormalization, 9)

  const odd = join(out, 'odd.onnx')
  const coloured = '\u001b[31mred'
  await writeFile(
    odd,
    model({
      nodes: [
        { op: 'Mul', inputs: ['x', 'w'], outputs: ['a'] },
        { op: 'Mystery', inputs: ['a'], outputs: ['b'], name: coloured, domain: 'custom' },
        { op: 'Enigma', inputs: ['b'], outputs: ['y'], name: 'other', domain: 'custom' },
      ],
      initializers: { w: floats([3], [1, 2, 3]) },
      inputs: [{ name: 'x', shape: ['N', 3] }],
      outputs: [{ name: 'y', shape: ['N', 3] }],
      domains: { custom: 1 },
    }),
  )
  const refused = await cli('info', odd)
  t.is(refused.code, 1, refused.stderr)
  t.is(refused.stderr, '')
  t.regex(refused.stdout, /Not supported \(2 nodes\)/)
  t.regex(refused.stdout, /\?\[31mred/)
  t.false(refused.stdout.includes('\u001b'))
  const { unsupported } = JSON.parse((await cli('info', odd, '--json')).stdout)
  t.deepEqual(
    unsupported.map(({ operator }: { operator: string }) => operator),
    ['custom::Mystery', 'custom::Enigma'],
  )
  // What lies before the parameters needs no derivative, yet has to run.
  await writeFile(
    odd,
    model({
      nodes: [
        { op: 'Mystery', inputs: ['x'], outputs: ['a'], name: 'first', domain: 'custom' },
        { op: 'Mul', inputs: ['a', 'w'], outputs: ['y'] },
      ],
      initializers: { w: floats([3], [1, 2, 3]) },
      inputs: [{ name: 'x', shape: ['N', 3] }],
      outputs: [{ name: 'y', shape: ['N', 3] }],
      domains: { custom: 1 },
    }),
  )
  const { supported, problem } = JSON.parse((await cli('info', odd, '--json')).stdout)
  t.false(supported)
  t.regex(problem, /onnxruntime cannot open the network.*Mystery/)
})

test.serial('a wrong call exits with 2 and one sentence', async (t) => {
  const out = await folder(t)
  const file = join(out, 'K.npy')
  const objects = join(out, 'objects.npy')
  const header = "{'descr': '|O', 'fortran_order': False, 'shape': (2,), }"
  const padded = `${header.padEnd(117)}\n`
  await writeFile(
    objects,
    Buffer.concat([Buffer.from('\x93NUMPY\x01\x00\x76\x00', 'latin1'), Buffer.from(padded)]),
  )
  const flat = join(out, 'flat.npy')
  await writeNpy(flat, { data: new Float32Array(784), shape: [1, 784] })
  const spoilt = join(out, 'nan.npy')
  const nan = new Float32Array(784)
  nan[30] = Number.NaN
  await writeNpy(spoilt, { data: nan, shape: [1, 1, 28, 28] })
  const common = ['ntk', fixture(...trained), '--out', file]
  const cases: [string[], RegExp][] = [
    [['ntk', join(out, 'none.onnx'), '--input', input, '--out', file], /no such file/],
    [['ntk', input, '--input', input, '--out', file], /not an ONNX model/],
    [[...common, '--input', join(out, 'none.npy')], /no such file/],
    [[...common, '--input', objects], /Python objects/],
    [[...common, '--input', flat], /\(N, 1, 28, 28\).*\(1, 784\)/],
    [[...common, '--input', spoilt], /NaN at \[0, 0, 1, 2\]/],
    [[...common, '--input', input, '--parameter', 'nobody'], /"nobody"/],
    [[...common, '--input', input, '--output', 'nothing'], /"nothing"/],
    [[...common, '--input', input, '--outputs', '10'], /0 to 9/],
    [[...common, '--input', input, '--memory', '1kB'], /budget/],
    [[...common, '--input', input, '--memory', 'much'], /2GiB/],
    [[...common, '--input', input, '--kernel', 'odd'], /full, trace, diagonal/],
    [[...common, '--input', input, '--threads', '0'], /whole number/],
    [[...common], /--input/],
    [[...common, '--inputs', input], /Unknown option '--inputs'; did you mean --input/],
    [[...common, '-i', input], /Unknown option '-i'/],
    [['nonsense'], /nonsense/],
    [['nkt'], /Unknown command 'nkt'; did you mean ntk\?/],
  ]
  for (const [args, message] of cases) {
    const { code, stderr, stdout } = await cli(...args)
    t.is(code, 2, stderr)
    t.regex(stderr, message)
    t.regex(stderr, /^adaptive-tangent: .*\n$/, 'one line, under one name')
    t.is(stdout, '')
    t.false(existsSync(file))
  }
  const json = await cli(...common, '--input', flat, '--json')
  t.is(json.code, 2)
  t.is(JSON.parse(json.stdout).error.code, 'BAD_INPUT')
  const typo = await cli(...common, '--inputs', flat, '--json')
  t.is(JSON.parse(typo.stdout).error.code, 'BAD_ARGUMENT')
})

test.serial('a kernel in TF32 tells its error, on devices that have it', async (t) => {
  const out = await folder(t)
  const truth = await reference('mlp_trained')
  const file = join(out, 'K.npy')
  const common = ['ntk', fixture(...trained), '--input', input, '--precision', 'tf32']
  const done = await cli(...common, '--device', 'emulated', '--out', file, '--json')
  t.is(done.code, 0, done.stderr)
  const { error, sampled } = JSON.parse(done.stdout).tf32
  t.true(error > 1e-6 && error < 5e-3 && sampled > 0, `${error} of ${sampled}`)
  near(t, await readNpy(file), truth.ntk, 5e-3)
  const parts = ['--by', 'layer', '--out', join(out, 'kernels')]
  t.regex((await cli(...common, '--device', 'emulated', ...parts)).stdout, /TF32 were off by \d/)
  for (const [args, message] of [
    [['--out', file], /float32 on the processor, which has no TF32 for --precision/],
    [
      ['--out', file, '--device', 'emulated', '--float64'],
      /float32 of a network in float64 for --precision/,
    ],
    [['--store', join(out, 'store'), '--device', 'emulated'], /--out together with --precision/],
  ] as const) {
    const { code, stderr } = await cli(...common, ...args)
    t.is(code, 2, stderr)
    t.regex(stderr, message)
  }
})

test.serial('nothing of an earlier run stays among the results', async (t) => {
  const out = await folder(t)
  const common = ['jacobian', fixture(...trained), '--input', input, '--out', out]
  t.is((await cli(...common)).code, 0)
  await writeFile(join(out, 'mine.npy'), 'kept')
  t.is((await cli(...common, '--parameter', 'net.9.bias')).code, 0)
  t.deepEqual((await readdir(out)).sort(), ['mine.npy', 'net.9.bias.npy', 'parameters.json'])
})

test.serial('help shows examples', async (t) => {
  const { code, stdout } = await cli('--help')
  t.is(code, 0)
  for (const name of ['info', 'run', 'jacobian', 'ntk']) {
    t.regex(stdout, new RegExp(`\\b${name}\\b`))
    const help = await cli(name, '--help')
    t.is(help.code, 0)
    t.regex(help.stdout, /Examples:\n {2}\$ adaptive-tangent /)
  }
})

/** Waits until a process runs its network: onnxruntime is loaded last. */
async function untilRunning(pid: number): Promise<void> {
  for (let tries = 0; tries < 1200; tries += 1) {
    if (readFileSync(`/proc/${pid}/maps`, 'latin1').includes('libonnxruntime')) return
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  throw new Error('the process never came to run its network')
}

test.serial('Ctrl-C exits with 130 and leaves nothing behind', async (t) => {
  const out = await folder(t)
  const random = new Random(1)
  const big = join(out, 'big.onnx')
  await writeFile(big, mlp(random, [300, 400, 400, 20]))
  const x = join(out, 'x.npy')
  await writeNpy(x, samples(random, [600, 300]))
  const args = ['ntk', big, '--input', x, '--method', 'jacobian', '--out', join(out, 'K.npy')]
  const child = spawn(process.execPath, [main, ...args], { stdio: 'pipe' })
  const ended = once(child, 'exit')
  await untilRunning(child.pid as number)
  await new Promise((resolve) => setTimeout(resolve, 500))
  child.kill('SIGINT')
  t.deepEqual(await ended, [130, null])
  t.deepEqual((await readdir(out)).sort(), ['big.onnx', 'x.npy'])
})

test.serial('- is standard input and output, and nothing else is written there', async (t) => {
  const out = await folder(t)
  const shell = (line: string) =>
    new Promise<{ code: number; stdout: Buffer; stderr: string }>((resolve) => {
      execFile(
        'bash',
        ['-c', line.replaceAll('CLI', `"${process.execPath}" "${main}"`)],
        { encoding: 'buffer' },
        (error, stdout, stderr) => {
          resolve({ code: Number(error?.code ?? 0), stdout, stderr: stderr.toString() })
        },
      )
    })
  const network = fixture(...trained)
  const file = join(out, 'y.npy')
  t.is((await cli('run', network, '--input', input, '--out', file)).code, 0)
  const truth = readFileSync(file)
  for (const place of ['-', '/dev/stdout']) {
    const { code, stdout, stderr } = await shell(
      `CLI run ${network} --input - --out ${place} < ${input} | cat`,
    )
    t.is(code, 0, stderr)
    t.true(stdout.equals(truth))
    t.regex(stderr, /Wrote output of shape/)
  }
  const both = await shell(`CLI run ${network} --input ${input} --out - --json`)
  t.is(both.code, 2)
  t.regex(both.stderr, /^adaptive-tangent: Expected a file for --out together with --json .*\n$/)
  const twice = await shell(`CLI ntk ${network} --input - --input2 - --out ${file} < ${input}`)
  t.is(twice.code, 2)
  t.regex(twice.stderr, /standard input, for one array only/)
  for (const [command, place, message] of [
    ['jacobian', '-', /Expected a folder for --out but received '-'/],
    ['jacobian', '/proc/a/b', /Cannot write to \/proc for --out/],
    ['ntk', '/proc/a/b.npy', /Cannot write to \/proc for --out/],
    ['ntk', out, /Expected a file for --out but/],
  ] as const) {
    const refused = await cli(command, network, '--input', input, '--out', place)
    t.is(refused.code, 2)
    t.regex(refused.stderr, message)
  }
})

test.serial('inputs on any axis, and numbers that all samples share', async (t) => {
  const out = await folder(t)
  const conventions = fileURLToPath(new URL('../../../test/conventions/', import.meta.url))
  const references = JSON.parse(await readFile(`${conventions}references.json`, 'utf8'))
  const files: Record<string, string> = {}
  for (const name of ['input', 'state', 'x']) {
    const owner = name === 'x' ? 'time_first' : 'speech_named'
    const { data, shape } = references[owner].inputs[name]
    const file = join(out, `${name}.npy`)
    files[name] = file
    await writeNpy(file, { data: Float32Array.from(data as number[]), shape })
  }
  const k = join(out, 'k.npy')
  const compare = async (name: string) => near(t, await readNpy(k), references[name].kernel, 1e-5)
  const model = `${conventions}speech_named.onnx`
  const inputs = ['--input', `input=${files.input}`, '--input', `state=${files.state}`]
  const ran = await cli('ntk', model, ...inputs, '--input', 'sr=16000', '--out', k)
  t.is(ran.code, 0, ran.stderr)
  await compare('speech_named')
  const said = ['--batch-axis', 'x=1', '--batch-axis', 'y=1', '--input', files.x as string]
  const turned = await cli('ntk', `${conventions}time_first.onnx`, ...said, '--out', k)
  t.is(turned.code, 0, turned.stderr)
  await compare('time_first')
  const report = join(out, 'report')
  const probed = await cli('probe', model, ...inputs, '--input', 'sr=16000', '--out', report)
  t.is(probed.code, 0, probed.stderr)
  t.is(JSON.parse(await readFile(join(report, 'report.json'), 'utf8')).samples, 3)
  const wrong = await cli('ntk', model, '--batch-axis', 'state', ...inputs, '--out', k)
  t.is(wrong.code, 2)
  t.regex(wrong.stderr, /NAME=AXIS/)
})

test.serial(
  'ntk --float64 is the reference to 1e-12; info tells how far float32 is off',
  async (t) => {
    const out = join(await folder(t), 'k.npy')
    const path = fixture(...trained)
    const { code } = await cli('ntk', path, '--input', input, '--float64', '--out', out)
    t.is(code, 0)
    const kernel = await readNpy(out)
    t.true(kernel.data instanceof Float64Array)
    near(t, kernel, (await reference('mlp_trained')).ntk, 1e-12)
    const told = await cli('info', path, '--input', input, '--json')
    const { precision } = JSON.parse(told.stdout)
    t.true(precision.sufficient && precision.kernel > 0 && precision.kernel < 1e-5)
  },
)
