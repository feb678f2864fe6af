/** What it says of a file when it cannot be read. Pure. */

/** Something is short, forbidden or away: the bytes may be sound. */
const TRANSIENT = new Set([
  'EMFILE',
  'ENFILE',
  'ENOMEM',
  'ENOBUFS',
  'EAGAIN',
  'EINTR',
  'EBUSY',
  'EACCES',
  'EPERM',
  // A file system on a server, or in a process, that is away.
  'ETIMEDOUT',
  'EHOSTDOWN',
  'EHOSTUNREACH',
  'ENETDOWN',
  'ENETUNREACH',
  'ENOTCONN',
]);

/**
 * Whether the error may pass, by itself or because somebody sees to it. All others say that the file is gone or damaged: EIO,
 * ENXIO, ENODATA and the like, and those that Node has no name for (`Unknown system error -117`): EUCLEAN and EBADMSG of a
 * damaged file system, ESTALE of NFS.
 */
export function isTransient(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return code === undefined || TRANSIENT.has(code);
}
