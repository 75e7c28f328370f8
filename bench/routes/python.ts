// The peers' Python environment, and their answers.
import { execFile, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const root = fileURLToPath(new URL('../../..', import.meta.url))
const folder = `${root}out/routes`
const python = `${folder}/venv/bin/python`
const run = promisify(execFile)

/** What a route needs; whose versions the page tells. */
export const packages = {
  // jaxonnxruntime does not say that it needs absl.
  jax: ['jaxonnxruntime', 'jax', 'jaxlib', 'onnx', 'absl-py'],
  torch: ['onnx2torch', 'torch==2.13.0', 'onnx'],
} as const
export type Route = keyof typeof packages

export interface Answer {
  name: string
  squared?: number
  stage?: string
  reason?: string
}

/** Installs what is missing. @returns its versions, or why it is not there. */
export async function install(route: Route): Promise<{ versions: string } | { missing: string }> {
  try {
    await mkdir(folder, { recursive: true })
    if (!existsSync(python)) await run('python3', ['-m', 'venv', `${folder}/venv`])
    const pip = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check']
    await run(python, [...pip, ...packages[route]])
    const names = packages[route].map((name) => name.split('==')[0])
    await run(python, [`${root}bench/routes/route.py`, route, '--check'])
    const script = `import importlib.metadata as m
print(', '.join(f'{n} {m.version(n)}' for n in ${JSON.stringify(names)}))`
    return { versions: (await run(python, ['-c', script])).stdout.trim() }
  } catch (error) {
    const { stderr, message } = error as Error & { stderr?: string }
    const lines = (stderr || message).trim().split('\n')
    return { missing: lines.at(-1) ?? 'not installed' }
  }
}

/** The answers to all jobs; one that ends the process counts as a crash, and the rest goes on. */
export async function ask(
  route: Route,
  jobs: readonly { name: string }[],
  write: (jobs: readonly { name: string }[]) => Promise<string>,
): Promise<Map<string, Answer>> {
  const answers = new Map<string, Answer>()
  for (let left = jobs; left.length > 0; left = jobs.filter(({ name }) => !answers.has(name))) {
    const script = `${root}bench/routes/route.py`
    const env = { ...process.env, JAX_PLATFORMS: 'cpu' }
    const child = spawn(python, [script, route, await write(left)], {
      env,
      stdio: ['ignore', 'pipe', 'ignore'],
    })
    let begun: string | undefined
    for await (const text of createInterface({ input: child.stdout })) {
      if (!text.startsWith('{')) continue
      const line: Answer & { begun?: boolean } = JSON.parse(text)
      if (line.begun) begun = line.name
      else answers.set(line.name, line)
    }
    begun ??= left[0]?.name as string
    if (answers.has(begun) && answers.size < jobs.length) begun = undefined
    if (begun !== undefined && !answers.has(begun)) {
      answers.set(begun, { name: begun, stage: 'gradient', reason: 'the process ended' })
    }
  }
  return answers
}
