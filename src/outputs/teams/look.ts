/** What both forms of a message share. */
import type { Room } from '../_kit/fit.ts';

export interface Look {
  activityimage: string;
  outputformat: 'all' | 'text' | 'facts';
}

/** Teams names no limits for a fact; these keep one from filling the message. */
export const PER_FACT: Pick<Room, 'title' | 'value' | 'items'> = {
  title: 300,
  value: 4_096,
  items: Number.POSITIVE_INFINITY,
};

/** The size of a piece of a message in JSON, in bytes. */
export function bytesOf(value: object): number {
  return Buffer.byteLength(JSON.stringify(value));
}
