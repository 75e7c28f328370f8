// Loaded before a test (node --require), in all of its threads: the addon comes out of the build folder that
// AT_BUILD names.
const folder = process.env.AT_BUILD
const open = process.dlopen

if (folder) {
  /** @param {[module: object, file: string, flags?: number]} args */
  process.dlopen = (...[module, file, ...rest]) =>
    open.call(process, module, file.replace('/build/Release/', `/${folder}/Release/`), ...rest)
}
