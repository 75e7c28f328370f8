import { TangentError } from '../../core/errors.js'

/**
 * The part of a file that is meant: the only one, or the one named behind `#`.
 * @throws TangentError BAD_ARGUMENT with the names that there are
 */
export function memberOf<T>(
  parts: readonly T[],
  nameOf: (part: T) => string,
  path: string,
  member: string | undefined,
): T {
  const [only] = parts
  if (member === undefined && only !== undefined && parts.length === 1) return only
  const found = parts.find((part) => nameOf(part) === member)
  if (found !== undefined) return found
  const names = parts.map(nameOf)
  const some = names.length > 12 ? [...names.slice(0, 12), '…'] : names
  const what = member === undefined ? 'none was named' : `there is no ${JSON.stringify(member)}`
  throw new TangentError(
    'BAD_ARGUMENT',
    `Expected one of the arrays of ${path}, as ${path}#NAME with ${some.join(', ')}, but ${what}`,
  )
}
