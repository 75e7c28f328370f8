// The functions and methods that a user of the package can call, and what their docstrings say.
import { join, relative } from 'node:path'
import ts from 'typescript'

export interface PublicCall {
  /** 'Network.ntk' */
  name: string
  /** 'lib/network/network.ts' */
  file: string
  description: string
  /** By the tag's name, without the @. */
  tags: Map<string, string>
}

const { Private, Protected } = ts.ModifierFlags

export function publicCalls(root: string): PublicCall[] {
  const entry = join(root, 'lib/index.ts')
  const config = ts.readConfigFile(join(root, 'tsconfig.json'), ts.sys.readFile)
  const { options } = ts.parseJsonConfigFileContent(config.config, ts.sys, root)
  const program = ts.createProgram([entry], options)
  const checker = program.getTypeChecker()

  const call = (name: string, symbol: ts.Symbol): PublicCall => ({
    name,
    file: relative(root, symbol.declarations?.[0]?.getSourceFile().fileName ?? ''),
    description: ts.displayPartsToString(symbol.getDocumentationComment(checker)),
    tags: new Map(
      symbol.getJsDocTags(checker).map((tag) => [tag.name, ts.displayPartsToString(tag.text)]),
    ),
  })
  const hidden = ({ declarations: [first] = [] }: ts.Symbol) =>
    first !== undefined && (ts.getCombinedModifierFlags(first) & (Private | Protected)) !== 0

  /** What an interface asks for is called by the package, and documented there. */
  const interfaces = (owner: ts.Symbol) => {
    const { heritageClauses = [] } = owner.valueDeclaration as ts.ClassDeclaration
    const types = heritageClauses
      .filter(({ token }) => token === ts.SyntaxKind.ImplementsKeyword)
      .flatMap((clause) => clause.types)
      .flatMap((type) => checker.getTypeAtLocation(type).getProperties())
    return new Set(types.map(({ name }) => name))
  }

  const methods = (owner: ts.Symbol): PublicCall[] =>
    [...(owner.exports?.values() ?? []), ...(owner.members?.values() ?? [])]
      .filter((member) => member.flags & ts.SymbolFlags.Method && !hidden(member))
      .filter(({ name }) => /^[a-z]/i.test(name) && !interfaces(owner).has(name))
      .map((member) => call(`${owner.name}.${member.name}`, member))
      .filter(({ tags }) => !tags.has('internal'))

  const module = checker.getSymbolAtLocation(program.getSourceFile(entry) as ts.SourceFile)
  return checker.getExportsOfModule(module as ts.Symbol).flatMap((exported) => {
    const alias = exported.flags & ts.SymbolFlags.Alias
    const symbol = alias ? checker.getAliasedSymbol(exported) : exported
    if (symbol.flags & ts.SymbolFlags.Function) return [call(symbol.name, symbol)]
    return symbol.flags & ts.SymbolFlags.Class ? methods(symbol) : []
  })
}
