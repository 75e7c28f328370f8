import { badArgument } from '../core/errors.js'

const reasons: Record<string, string> = {
  ENOENT: 'no such file or folder',
  EISDIR: 'it is a folder',
  ENOTDIR: 'a part of the path is not a folder',
  EACCES: 'permission denied',
  EPERM: 'permission denied',
  EROFS: 'the file system is read-only',
  ENOSPC: 'the disk is full',
  EDQUOT: 'the disk quota is used up',
  EFBIG: 'the file system takes no file of that size',
  ENAMETOOLONG: 'the name is too long',
  ELOOP: 'its links go in a circle',
  EPIPE: 'whoever read it has closed it',
  ENXIO: 'nothing is there to take it',
}

/** Why a file system call failed, in words: 'permission denied'. */
export function reason(error: unknown): string {
  const { code = '', message } = error as NodeJS.ErrnoException
  return reasons[code] ?? message ?? String(error)
}

/** @throws TangentError BAD_ARGUMENT for what is no path. */
export function checkPath(path: unknown): void {
  if (typeof path !== 'string') throw badArgument('path', 'the path of a file', path)
}
