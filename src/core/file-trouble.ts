/** Words for why the system refuses a file. */
const WORDS: Record<string, string> = {
  ENOENT: 'there is no such file',
  EISDIR: 'it is a folder',
  ENOTDIR: 'a file stands where a folder has to be',
  EEXIST: 'a file stands where a folder has to be',
  EACCES: 'this user may not use it',
  EPERM: 'this user may not use it',
  EROFS: 'it lies where nothing can be written',
};

/** Why a file cannot be used, for people: in words, or its code where there are none; undefined when it has no code. */
export function fileTrouble(error: unknown): string | undefined {
  const code = (error as NodeJS.ErrnoException | null)?.code;
  return code !== undefined && Object.hasOwn(WORDS, code) ? WORDS[code] : code;
}
