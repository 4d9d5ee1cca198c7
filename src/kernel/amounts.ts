/** How many and how much of it, in words. */

/** `1 session`, `2 sessions` */
export const counted = (count: number, one: string): string => `${count} ${one}${count === 1 ? '' : 's'}`;

/** `99.9 %`: never rounded up to all of it. */
export const formatShare = (ratio: number): string => `${(Math.floor(ratio * 1_000) / 10).toFixed(1)} %`;
