// Which picture of the copy is which picture of the original, and how seconds are written. See pipeline/frames.py.

const HEAD_BYTES = 44, ABSENT = -(1n << 62n);
// Pictures that the copy lacks for a shorter time are not told: it may simply show fewer in a second.
const LACK_S = 0.2;

// The last place in ascending values that is not above the wanted one; -1 before the first.
export function placeOf(values, wanted) {
  let low = 0, high = values.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (values[middle] <= wanted) low = middle + 1; else high = middle;
  }
  return low - 1;
}

export class Frames {
  static async from(address) {
    const answer = await fetch(address);
    if (!answer.ok) throw new Error(answer.statusText);
    const data = await answer.arrayBuffer(), head = new DataView(data);
    if (head.getUint32(0, false) !== 0x43524654 || head.getUint8(4) !== 1) throw new Error("another form of frame times");
    const units = [12, 20, 28, 36].map((at) => Number(head.getBigInt64(at, true)));
    const deflated = new Blob([data.slice(HEAD_BYTES)]).stream().pipeThrough(new DecompressionStream("deflate"));
    const steps = new BigInt64Array(await new Response(deflated).arrayBuffer());
    return new Frames(head.getUint32(8, true), units, steps);
  }

  constructor(count, [over, under, copyOver, copyUnder], steps) {
    this.pts = new Float64Array(count);
    this.seconds = new Float64Array(count);
    this.copySeconds = new Float64Array(count);
    this.unit = over / under;
    let own = 0n, copy = 0n;
    const there = [];
    for (let number = 0; number < count; number++) {
      own += steps[number];
      copy += steps[count + number];
      this.pts[number] = Number(own);
      this.seconds[number] = (this.pts[number] - this.pts[0]) * over / under;
      this.copySeconds[number] = copy === ABSENT ? NaN : Number(copy) * copyOver / copyUnder;
      if (copy !== ABSENT) there.push(number);
    }
    // Those that the copy has, and when it shows them.
    this.there = Int32Array.from(there);
    this.shownAt = Float64Array.from(there, (number) => this.copySeconds[number]);
  }

  // The number of the picture shown at this second, of the copy or of the original itself.
  numberAt(second, isOwn) {
    if (isOwn) return Math.max(0, placeOf(this.seconds, second + 1e-6));
    return this.there[Math.max(0, placeOf(this.shownAt, second + 1e-6))];
  }

  // What of the original plays from this second of the copy to that one: seconds, without those that the copy lacks.
  spans(from, to) {
    const found = [];
    for (let place = Math.max(0, placeOf(this.shownAt, from + 1e-6)); place < this.there.length; place++) {
      const at = this.shownAt[place], begin = this.seconds[this.there[place]], latest = found.at(-1);
      if (at >= to) break;
      const low = begin + Math.max(0, from - at);
      const high = Math.min(begin + Math.min(to, this.shownAt[place + 1] ?? Infinity) - at, this.endOf(place));
      if (high <= low) continue;
      if (latest && low - latest[1] < LACK_S) latest[1] = Math.max(latest[1], high);
      else found.push([low, high]);
    }
    return found;
  }

  // The second of the original at which what the copy shows in this place ends: the next picture, or the first it lacks.
  endOf(place) {
    const next = this.there[place] + 1, then = this.there[place + 1] ?? this.seconds.length;
    if (next === this.seconds.length) return Infinity;
    const end = this.seconds[then] ?? this.seconds[then - 1];
    return end - this.seconds[next] >= LACK_S ? this.seconds[next] : this.seconds[then] ?? Infinity;
  }

  // A second in the middle of the time for which this picture is shown; of one that the copy lacks, that of the next.
  secondOf(number, isOwn) {
    const times = isOwn ? this.seconds : this.shownAt;
    const place = isOwn ? number : Math.min(placeOf(this.there, number - 1) + 1, times.length - 1);
    return place + 1 < times.length ? (times[place] + times[place + 1]) / 2 : times[place] + 0.001;
  }

  // The picture so many further on, among those that can be shown.
  beside(number, by, isOwn) {
    const last = (isOwn ? this.pts : this.there).length - 1;
    const place = Math.min(last, Math.max(0, (isOwn ? number : placeOf(this.there, number)) + by));
    return isOwn ? place : this.there[place];
  }

  // Stretches of the original without pictures, seconds from and to: much longer than its pictures usually last.
  holes() {
    const steps = Array.from(this.seconds.subarray(1), (second, place) => second - this.seconds[place]);
    const usual = [...steps].sort((a, b) => a - b)[steps.length >> 1] ?? 0;
    const long = Math.max(1, 10 * usual);
    return steps.flatMap((step, place) => (step >= long ? [[this.seconds[place], this.seconds[place + 1]]] : []));
  }

  // Stretches of the original whose pictures the copy lacks, for they could not be decoded; no shorter than so much.
  lacks(leastS = LACK_S) {
    const found = [], last = this.seconds.length - 1;
    for (let number = 0; number <= last; number++) {
      if (!Number.isNaN(this.copySeconds[number])) continue;
      const begin = number;
      while (number < last && Number.isNaN(this.copySeconds[number + 1])) number++;
      const to = this.seconds[Math.min(last, number + 1)];
      if (to - this.seconds[begin] >= leastS) found.push([this.seconds[begin], to]);
    }
    return found;
  }
}

const two = (value) => String(value).padStart(2, "0");

// 00:14:03.240
export function clock(seconds) {
  const all = Math.round(Math.abs(seconds) * 1000);
  const rest = all % 60000, minutes = Math.floor(all / 60000);
  const sign = seconds < 0 && all ? "-" : "";
  return `${sign}${two(Math.floor(minutes / 60))}:${two(minutes % 60)}:${two(Math.floor(rest / 1000))}.${String(rest % 1000).padStart(3, "0")}`;
}

// 14:03, 1:02:03
export function length(seconds) {
  const all = Math.max(0, Math.floor(seconds)), hours = Math.floor(all / 3600);
  const minutes = Math.floor(all / 60) % 60;
  return `${hours ? `${hours}:${two(minutes)}` : minutes}:${two(all % 60)}`;
}

// 2026-08-03 14:16:23.120 +08:00, in a zone so many minutes east of UTC.
export function moment(ms, offsetMin) {
  const local = new Date(Math.round(ms) + offsetMin * 60000).toISOString();
  const sign = offsetMin < 0 ? "-" : "+", off = Math.abs(offsetMin);
  return `${local.slice(0, 10)} ${local.slice(11, 23)} ${sign}${two(Math.floor(off / 60))}:${two(off % 60)}`;
}

// The file of an answer of ours as data; null where there is none or it does not come.
export async function fetched(address, kind = "json") {
  if (!address) return null;
  const answer = await fetch(address).catch(() => null);
  return answer?.ok ? answer[kind]() : null;
}
