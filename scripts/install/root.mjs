// A bare Debian: the C library, the C++ library, a shell, coreutils and one Node. No compiler, no Python,
// no library of mathematics. Made of Debian's packages and of the npm packages that hold Node. One for
// another processor is run by qemu (Debian's qemu-user-static).
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { WORK } from '../release/parts.mjs'
import { npm } from '../setup/packages.mjs'
import { output, root, run, SetupError, step } from '../setup/run.mjs'

const work = join(root, WORK, 'install')

const DEBIAN = ['base-files', 'coreutils', 'dash', 'gcc-12-base', 'libacl1', 'libattr1', 'libc6']
const MORE = ['libgcc-s1', 'libgmp10', 'libpcre2-8-0', 'libselinux1', 'libstdc++6', 'sed']

/** @typedef {'x64' | 'arm64'} Cpu */

/** Installers by the versions that every Node here can run. */
export const INSTALLERS = { npm: 'npm@10', pnpm: 'pnpm@10', yarn: 'yarn@1' }

/**
 * An npm package unpacked; the folder's path.
 * @param {string} specifier
 */
async function unpacked(specifier) {
  const folder = join(work, 'npm', specifier.replace(/[/@]/g, '-'))
  if (existsSync(folder)) return join(folder, 'package')
  mkdirSync(folder, { recursive: true })
  const [command = 'npm', ...first] = npm()
  await step(`Fetching ${specifier}`, command, [
    ...[...first, 'pack', specifier, '--pack-destination', folder],
  ])
  const [file = ''] = readdirSync(folder)
  await step(`Unpacking ${file}`, 'tar', ['-xzf', join(folder, file), '-C', folder])
  rmSync(join(folder, file))
  return join(folder, 'package')
}

/** What Debian calls the processors. */
const DEBIAN_CPU = { x64: 'amd64', arm64: 'arm64' }

/**
 * Debian's packages for another processor: with lists of their own, the system's stay as they are.
 * @param {Cpu} cpu
 * @param {string} lists a folder
 */
function foreign(cpu, lists) {
  if (cpu === process.arch) return []
  mkdirSync(join(lists, 'partial'), { recursive: true })
  return [
    `APT::Architecture=${DEBIAN_CPU[cpu]}`,
    `APT::Architectures::=${DEBIAN_CPU[cpu]}`,
    `Dir::State::Lists=${lists}`,
    'Dir::State::status=/dev/null',
    'Dir::Cache::pkgcache=',
    'Dir::Cache::srcpkgcache=',
  ].flatMap((option) => ['-o', option])
}

/**
 * Folders, and what is known here of the network.
 * @param {string} making
 */
function addSurroundings(making) {
  for (const name of ['etc/ssl/certs', 'tmp', 'proc', 'dev', 'work', 'root']) {
    mkdirSync(join(making, name), { recursive: true })
  }
  for (const file of ['etc/resolv.conf', 'etc/hosts', 'etc/ssl/certs/ca-certificates.crt']) {
    if (existsSync(`/${file}`)) cpSync(`/${file}`, join(making, file), { dereference: true })
  }
}

/** @param {Cpu} cpu */
async function debian(cpu) {
  const folder = join(work, `debian-${cpu}`)
  if (existsSync(folder)) return folder
  const archives = join(work, `archives-${cpu}`)
  mkdirSync(archives, { recursive: true })
  const options = foreign(cpu, join(work, `lists-${cpu}`))
  if (options.length) await step('Reading Debian’s lists', 'apt-get', [...options, 'update'])
  const words = [...options, 'download', ...DEBIAN, ...MORE]
  await step(`Fetching a bare Debian for ${cpu}`, 'apt-get', words, { cwd: archives })
  const making = `${folder}.making`
  rmSync(making, { recursive: true, force: true })
  mkdirSync(join(making, 'usr/bin'), { recursive: true })
  // As Debian lays it out since version 12.
  for (const name of ['bin', 'sbin', 'lib', 'lib64']) {
    mkdirSync(join(making, 'usr', name), { recursive: true })
    symlinkSync(`usr/${name}`, join(making, name))
  }
  for (const file of readdirSync(archives)) {
    // A package's files in /lib go where its link points.
    const piped = `dpkg-deb --fsys-tarfile '${join(archives, file)}' | tar -x --keep-directory-symlink -C '${making}'`
    await step(`Unpacking ${file}`, 'sh', ['-c', piped])
  }
  addSurroundings(making)
  await run('mv', [making, folder])
  return folder
}

/**
 * A root with one version of Node, and the installers.
 * @param {number} node its major version
 * @param {Cpu} [cpu]
 */
export async function bareRoot(node, cpu = /** @type {Cpu} */ (process.arch)) {
  if (process.getuid?.() !== 0) throw new SetupError('A bare root is entered as root alone')
  const bare = await debian(cpu)
  const folder = join(work, `node-${node}-${cpu}`)
  if (existsSync(folder)) return folder
  const making = `${folder}.making`
  rmSync(making, { recursive: true, force: true })
  await step(`Making a root with Node ${node} for ${cpu}`, 'cp', ['-a', bare, making])
  await addNode(making, node, cpu)
  await run('mv', [making, folder])
  return folder
}

/**
 * Node and the installers.
 * @param {string} making
 * @param {number} node its major version
 * @param {Cpu} cpu
 */
async function addNode(making, node, cpu) {
  const program = await unpacked(`node-linux-${cpu}@${node}`)
  cpSync(join(program, 'bin/node'), join(making, 'usr/bin/node'))
  for (const [name, specifier] of Object.entries(INSTALLERS)) {
    cpSync(await unpacked(specifier), join(making, 'opt', name), { recursive: true })
  }
  for (const [name, file] of Object.entries(PROGRAMS)) {
    const script = join(making, 'usr/bin', name)
    writeFileSync(script, `#!/bin/sh\nexec node /opt/${file} "$@"\n`)
    chmodSync(script, 0o755)
  }
}

/** What docs/install.md says that a build from source needs. */
const COMPILING = ['g++', 'make', 'cmake', 'libopenblas-dev', 'libtbb-dev']

/**
 * A new Debian of this system's version that can compile: debootstrap's smallest one, what the documents name,
 * and Node.
 * @param {number} node its major version
 */
export async function compilingRoot(node) {
  const cpu = /** @type {Cpu} */ (process.arch)
  const folder = join(work, `compiling-${node}-${cpu}`)
  if (existsSync(folder)) return folder
  if (output('which', ['debootstrap']) === undefined) {
    throw new SetupError('To compile in a bare system install debootstrap')
  }
  const release = readFileSync('/etc/os-release', 'utf8').match(/^VERSION_CODENAME=(\w+)$/m)?.[1]
  const making = `${folder}.making`
  rmSync(making, { recursive: true, force: true })
  await step('Making a Debian that can compile', 'debootstrap', [
    ...['--variant=minbase', `--include=${COMPILING.join(',')}`],
    ...[release ?? 'stable', making],
  ])
  addSurroundings(making)
  await addNode(making, node, cpu)
  await run('mv', [making, folder])
  return folder
}

const PROGRAMS = {
  npm: 'npm/bin/npm-cli.js',
  npx: 'npm/bin/npx-cli.js',
  pnpm: 'pnpm/bin/pnpm.cjs',
  yarn: 'yarn/bin/yarn.js',
}

const EMULATOR = '/usr/bin/qemu-aarch64-static'

/** Can programs of arm64 be run here? */
export const emulates = () => process.arch === 'arm64' || existsSync(EMULATOR)

/** The kernel's rule that arm64's programs go to qemu; it holds in the namespace that sets it. */
const RULE = String.raw`:arm64:M::\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00:\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff:${EMULATOR}:F`

/**
 * Runs a shell command inside, with nothing of this system but its network and its devices.
 * @param {string} folder the root's
 * @param {string} command
 * @returns {Promise<{ status: number, text: string, seconds: number }>}
 */
export async function inside(folder, command) {
  const emulated = folder.endsWith('-arm64') && process.arch !== 'arm64'
  const emulation = [
    'mount -t binfmt_misc binfmt_misc /proc/sys/fs/binfmt_misc',
    `printf '%s' '${RULE}' > /proc/sys/fs/binfmt_misc/register`,
  ]
  const environment = [
    'PATH=/usr/bin HOME=/root npm_config_update_notifier=false',
    'NODE_EXTRA_CA_CERTS=/etc/ssl/certs/ca-certificates.crt',
    // A processor that exists: of the one with every extension OpenBLAS's kernel for SME gives NaN.
    ...(emulated ? ['QEMU_CPU=neoverse-n1'] : []),
  ].join(' ')
  const script = [
    ...(emulated ? emulation : []),
    `mount -t proc proc '${folder}/proc'`,
    `mount --rbind /dev '${folder}/dev'`,
    `exec chroot '${folder}' /usr/bin/env -i ${environment} /bin/sh -c "$0"`,
  ].join(' && ')
  const namespaces = ['--mount', '--pid', '--fork', ...(emulated ? ['--user', '-r'] : [])]
  const start = performance.now()
  const result = await run('unshare', [...namespaces, 'sh', '-c', script, command])
  return { ...result, seconds: (performance.now() - start) / 1000 }
}
