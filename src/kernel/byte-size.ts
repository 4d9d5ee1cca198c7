/** Sizes as people write them: `512MiB`, `2GB`, `1.5 TiB`. A bare number is refused, except 0: it has no unit. */

const UNIT_BYTES = {
  b: 1,
  kb: 1e3,
  mb: 1e6,
  gb: 1e9,
  tb: 1e12,
  kib: 2 ** 10,
  mib: 2 ** 20,
  gib: 2 ** 30,
  tib: 2 ** 40,
} as const;

/** Bytes, or undefined when the text is not a size. */
export function parseByteSize(text: string): number | undefined {
  const [, amount, unit = ''] = /^(\d+(?:\.\d+)?) ?([kmgt]?i?b)$/i.exec(text.trim()) ?? [];
  const unitBytes = UNIT_BYTES[unit.toLowerCase() as keyof typeof UNIT_BYTES] as number | undefined;
  if (amount === undefined || unitBytes === undefined) return /^0+$/.test(text.trim()) ? 0 : undefined;
  const bytes = Math.round(Number(amount) * unitBytes);
  return Number.isSafeInteger(bytes) ? bytes : undefined;
}

/** `1.4 GiB` for people. */
export function formatBytes(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${unit === 0 ? value : value.toFixed(1)} ${units[unit]}`;
}
