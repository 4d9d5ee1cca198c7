/**
 * How a day's looks are shared out. A look's interval of 1/r finds a broadcast 1/2r late on average, so with broadcasts
 * beginning at rate λ, and a creator's minutes counting by priority p, what is lost is the sum of pλ/2r over creators and
 * hours. For a given number of looks it is least where r is in proportion to the root of pλ: that root is what a look is
 * `worth` there. Floor and ceiling on the interval cut the proportion off; the factor is what the number of looks allows.
 *
 * The number of looks is the stronger rule: where it does not pay for the ceiling, the ceiling gives way. Of what there is,
 * ever less goes into keeping it, so that a short budget still goes where it finds most.
 */

export interface IntervalLimits {
  floorMs: number;
  ceilingMs: number;
}

/** Hours of creators, in which looks may be: one entry of each list for each. */
export interface OpenTime {
  worth: readonly number[];
  openMs: readonly number[];
}

/** Looks per millisecond follow from what a look is worth: see `lookRate`. */
export interface DayPlan {
  factor: number;
  leastRate: number;
  mostRate: number;
}

export const lookRate = ({ factor, leastRate, mostRate }: DayPlan, worth: number): number =>
  Math.min(mostRate, Math.max(leastRate, factor * worth));

/** Halvings of the factor's range, which is that of all worths: enough to spend all but a millionth of a look. */
const HALVINGS = 50;

export function planDay(time: OpenTime, looks: number, { floorMs, ceilingMs }: IntervalLimits): DayPlan {
  const plan: DayPlan = { factor: 0, leastRate: 1 / ceilingMs, mostRate: 1 / floorMs };
  const openMs = time.openMs.reduce((total, ms) => total + ms, 0);
  if (openMs * plan.mostRate <= looks) return { ...plan, factor: Infinity };
  const paidShare = Math.max(0, looks) / (openMs * plan.leastRate);
  if (paidShare < 1) plan.leastRate *= paidShare ** 2;

  let [low, high] = [
    0,
    plan.mostRate / time.worth.reduce((least, worth) => Math.min(least, worth), Infinity),
  ];
  for (let halving = 0; halving < HALVINGS; halving += 1) {
    plan.factor = (low + high) / 2;
    if (looksOf(plan, time) > looks) high = plan.factor;
    else low = plan.factor;
  }
  return { ...plan, factor: low };
}

function looksOf(plan: DayPlan, { worth, openMs }: OpenTime): number {
  let looks = 0;
  for (let index = 0; index < worth.length; index += 1) {
    looks += lookRate(plan, worth[index]!) * openMs[index]!;
  }
  return looks;
}
