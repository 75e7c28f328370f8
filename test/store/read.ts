// `npm run test:store`: a store as zarr-python and numpy read it.
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { python, source } from './environment.js'
import { run, setting } from './processes.js'

const ends: (() => Promise<void>)[] = []
try {
  const own = await setting({ teardown: (end) => void ends.push(end) })
  const file = join(own.folder, 'k.npy')
  const call = own.command.filter(
    (word, k, all) => word !== '--store' && word !== '--tile' && all[k - 1] !== '--tile',
  )
  const types = ['float32', 'float16', 'bfloat16']
  const pathOf = (type: string) => `${own.path}.${type}`
  for (const args of [
    ...types.map((type) => [...own.command, pathOf(type), '--dtype', type]),
    [...call, '--out', file],
  ]) {
    const { code, stderr } = await run(args)
    if (code !== 0) throw new Error(stderr)
  }
  for (const type of types) {
    execFileSync(python(), [join(source, 'read.py'), pathOf(type), file], { stdio: 'inherit' })
  }
} finally {
  for (const end of ends) await end()
}
