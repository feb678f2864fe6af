/** Floating-point numbers as Go's strconv writes them. JavaScript's own forms round ties away from zero; Go to even. */

/** 0.digits × 10^point, no leading zeros; no digits for zero. */
interface Decimal {
  digits: string;
  point: number;
}

/**
 * Formats a number.
 * @param form one of e, E, f, g, G
 * @param precision digits behind the point (e, f) or in all (g); undefined for as many as the number needs
 */
export function formatFloat(value: number, form: string, precision: number | undefined): string {
  if (Number.isNaN(value)) return 'NaN';
  if (!Number.isFinite(value)) return value < 0 ? '-Inf' : '+Inf';
  const sign = value < 0 || Object.is(value, -0) ? '-' : '';
  const size = Math.abs(value);
  const text = formatSize(size, form.toLowerCase(), precision);
  return sign + (form === 'E' || form === 'G' ? text.toUpperCase() : text);
}

function formatSize(size: number, form: string, precision: number | undefined): string {
  if (precision === undefined) {
    const decimal = shortest(size);
    const { digits, point } = decimal;
    if (form === 'e') return exponential(decimal, Math.max(digits.length - 1, 0));
    if (form === 'g' && (point <= -4 || point > 6))
      return exponential(decimal, Math.max(digits.length - 1, 0));
    return fixed(decimal, Math.max(digits.length - point, 0));
  }
  const full = exact(size);
  if (form === 'e') return exponential(round(full, precision + 1), precision);
  if (form === 'f') return fixed(round(full, full.point + precision), precision);
  const wanted = precision || 1;
  const decimal = trimmed(round(full, wanted));
  const { digits, point } = decimal;
  const limit = wanted > digits.length && digits.length >= point ? digits.length : wanted;
  if (point <= -4 || point > limit) return exponential(decimal, Math.max(digits.length - 1, 0));
  return fixed(decimal, Math.max(digits.length - point, 0));
}

function exponential({ digits, point }: Decimal, precision: number): string {
  const fraction = digits.slice(1, precision + 1).padEnd(precision, '0');
  const exponent = digits ? point - 1 : 0;
  const size = String(Math.abs(exponent)).padStart(2, '0');
  return `${digits[0] ?? '0'}${fraction && `.${fraction}`}e${exponent < 0 ? '-' : '+'}${size}`;
}

function fixed({ digits, point }: Decimal, precision: number): string {
  const whole = point > 0 ? digits.slice(0, point).padEnd(point, '0') : '0';
  if (precision === 0) return whole;
  const fraction = point > 0 ? digits.slice(point) : '0'.repeat(Math.min(-point, precision)) + digits;
  return `${whole}.${fraction.slice(0, precision).padEnd(precision, '0')}`;
}

/** The fewest digits that still mean this number. */
function shortest(size: number): Decimal {
  if (size === 0) return { digits: '', point: 0 };
  const [mantissa = '', exponent] = size.toExponential().split('e');
  return { digits: mantissa.replace('.', ''), point: Number(exponent) + 1 };
}

/** Every digit of the double, up to 767 of them. */
function exact(size: number): Decimal {
  if (size === 0) return { digits: '', point: 0 };
  const bits = new DataView(new ArrayBuffer(8));
  bits.setFloat64(0, size);
  const raw = bits.getBigUint64(0);
  const biased = Number(raw >> 52n);
  const fraction = raw & (2n ** 52n - 1n);
  const mantissa = biased === 0 ? fraction : fraction + 2n ** 52n;
  const exponent = Math.max(biased, 1) - 1075;
  if (exponent >= 0) {
    const digits = String(mantissa << BigInt(exponent));
    return { digits, point: digits.length };
  }
  // m / 2^k = m × 5^k / 10^k
  const digits = String(mantissa * 5n ** BigInt(-exponent));
  return { digits, point: digits.length + exponent };
}

/** Keeps the first `count` digits, half to even. */
function round(decimal: Decimal, count: number): Decimal {
  const { digits, point } = decimal;
  if (count >= digits.length) return decimal;
  if (count < 0) return { digits: '', point: 0 };
  const kept = digits.slice(0, count);
  const rest = digits.slice(count);
  const half = rest[0] === '5' && /^50*$/.test(rest);
  const up = half ? Number(kept.at(-1) ?? 0) % 2 === 1 : (rest[0] ?? '0') >= '5';
  if (!up) return kept ? { digits: kept, point } : { digits: '', point: 0 };
  const raised = String(BigInt(kept || '0') + 1n);
  return { digits: raised, point: point + raised.length - kept.length };
}

function trimmed({ digits, point }: Decimal): Decimal {
  return { digits: digits.replace(/0+$/, ''), point };
}
