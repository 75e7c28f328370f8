// Loaded before a worker (`--import`), from STORE_FAULT: `rename N WHEN` ends the process at its Nth rename of a
// tile, `before` it, as it `begins`, or `after` it and before the folder is synced; `hang FILE` lets calls of the file
// system wait for as long as FILE is there, as those of a network file system do whose server is away.

// Loaded before a worker (`--import`), from STORE_FAULT: `rename N WHEN` ends the process at its Nth rename of a
// tile, `before` it, as it `begins`, or `after` it and before the folder is synced; `hang FILE` lets calls of the file
// system wait for as long as FILE is there, as those of a network file system do whose server is away.
import fs, { existsSync } from 'node:fs'
import files from 'node:fs/promises'
import { syncBuiltinESMExports } from 'node:module'
import { isMainThread } from 'node:worker_threads'

const [kind, ...words] = (process.env.STORE_FAULT ?? '').split(' ')

function killAtRename(count: number, when: string): void {
  const { rename } = files
  let seen = 0
  const end = () => process.kill(process.pid, 'SIGKILL')
  files.rename = async (from, to) => {
    seen += /\/c\/\d/.test(String(to)) ? 1 : 0
    if (seen !== count) return rename(from, to)
    if (when === 'before') end()
    const renamed = rename(from, to)
    if (when === 'begins') end()
    await renamed
    end()
  }
}

type Call = (...args: unknown[]) => unknown

function hangWhile(marker: string): void {
  const rest = new Int32Array(new SharedArrayBuffer(4))
  const names = [
    'link',
    'mkdir',
    'open',
    'readdir',
    'readFile',
    'rename',
    'stat',
    'unlink',
  ] as const
  const calls = files as unknown as Record<string, Call>
  for (const name of names) {
    const call = calls[name] as Call
    calls[name] = async (...args) => {
      while (existsSync(marker)) await new Promise((resolve) => setTimeout(resolve, 20))
      return call(...args)
    }
  }
  const { futimesSync } = fs
  fs.futimesSync = (...args) => {
    while (existsSync(marker)) Atomics.wait(rest, 0, 0, 20)
    futimesSync(...args)
  }
}

if (kind === 'rename' && isMainThread) killAtRename(Number(words[0]), words[1] ?? '')
if (kind === 'hang') hangWhile(words[0] ?? '')
syncBuiltinESMExports()
