/** Resolves when the work is done or has failed, or the time is over. */
export async function within(work: Promise<unknown> | undefined, ms: number): Promise<void> {
  const limit = new Promise<void>(resolve => {
    setTimeout(resolve, ms).unref();
  });
  await Promise.race([work?.catch(() => undefined), limit]);
}
