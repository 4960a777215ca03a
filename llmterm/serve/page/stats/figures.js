// What the figures are called, how they are written, and how days are laid out. Pure.

const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const short = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });
const fine = (digits) => new Intl.NumberFormat("en", { minimumFractionDigits: digits, maximumFractionDigits: digits });
const [cents, small] = [fine(2), fine(4)];
const NONE = "–";

const count = (value) => whole.format(value);
const amount = (value, tally) => (tally.estimated ? "~" : "") + (value < 10_000 ? whole : short).format(value);
const money = (value, tally) => (value === null ? NONE : (tally.estimated ? "~" : "") + (value === 0 || value >= 1 ? cents : small).format(value));
const wait = (value) => (value === null ? NONE : `${(value / 1000).toFixed(value < 10_000 ? 2 : 1)} s`);
const speed = (value) => (value === null ? NONE : value.toFixed(value < 100 ? 1 : 0));

// `sum`: those of several add up; what does not is a median.
export const MEASURES = [
  { key: "answers", name: "Answers", write: count, sum: true },
  { key: "input_tokens", name: "Input", write: amount, sum: true },
  { key: "output_tokens", name: "Output", write: amount, sum: true },
  { key: "first_token_ms", name: "First token", write: wait, sum: false },
  { key: "tokens_per_second", name: "Tokens/s", write: speed, sum: false },
  { key: "pauses", name: "Pauses", write: count, sum: true },
  { key: "failures", name: "Failures", write: count, sum: true, bad: true },
  { key: "retries", name: "Retries", write: count, sum: true },
  { key: "cost", name: "Cost", write: money, sum: true },
  { key: "cached_tokens", name: "Cached", write: amount, sum: true },
  { key: "resume_cost", name: "Resumes", write: money, sum: true },
  { key: "saved", name: "Saved", write: money, sum: true },
];
export const TOTALS = ["answers", "input_tokens", "output_tokens", "cost", "failures", "retries"];
export const DRAWN = ["output_tokens", "input_tokens", "answers", "cost", "first_token_ms", "tokens_per_second", "failures"];

export const measure = (key) => MEASURES.find((each) => each.key === key);
export const title = ({ key, name }) => (key.endsWith("put_tokens") ? `${name} tokens` : name);
export const written = (key, tally) => measure(key).write(tally[key], tally);

// Returns what several tallies are together; medians of several are none.
export function together(tallies) {
  const sums = { estimated: tallies.some((each) => each.estimated) };
  for (const { key, sum } of MEASURES) {
    const known = tallies.map((each) => each[key]).filter((value) => value !== null);
    if (tallies.length === 1) sums[key] = tallies[0][key];
    else sums[key] = sum && known.length ? known.reduce((left, right) => left + right) : null;
  }
  for (const key of ["answers", "pauses", "failures", "retries", "input_tokens", "output_tokens"]) sums[key] ??= 0;
  return sums;
}

const MOST_SERIES = 6;
const DAY = 86_400_000;
const day = (text) => Date.parse(`${text}T00:00:00Z`);

// Returns the spans of time that are drawn, {from, to, name, short}, so that there are never too many of them.
export function spans(stats) {
  const last = day(stats.today);
  const begun = stats.models.flatMap((each) => each.by_day.map(({ date }) => day(date)));
  const first = stats.days ? last - (stats.days - 1) * DAY : Math.min(last - 6 * DAY, ...begun);
  const days = Math.round((last - first) / DAY) + 1;
  const step = days <= 100 ? 1 : days <= 700 ? 7 : 28 * Math.ceil(days / 2_800);
  const found = [];
  for (let to = last; to >= first; to -= step * DAY) {
    const from = Math.max(first, to - (step - 1) * DAY);
    found.unshift({ from, to, name: from === to ? named(from) : `${named(from)} to ${named(to)}`, short: brief(from) });
  }
  return found;
}

const named = (moment) =>
  new Date(moment).toLocaleDateString("en", { timeZone: "UTC", weekday: "short", day: "numeric", month: "short", year: "numeric" });
const brief = (moment) => new Date(moment).toLocaleDateString("en", { timeZone: "UTC", day: "numeric", month: "short" });

// Returns the models that are drawn, those with most first, and all others as one: {name, tallies: one or null a span}.
export function series(stats, all) {
  const models = stats.models.map((each) => ({ name: `${each.provider}/${each.model}`, days: each.by_day }));
  const shown = models.length > MOST_SERIES + 1 ? models.slice(0, MOST_SERIES) : models;
  const others = models.slice(shown.length);
  if (others.length) shown.push({ name: `${others.length} others`, days: others.flatMap((each) => each.days) });
  return shown.map(({ name, days }) => ({ name, tallies: all.map((span) => within(days, span)) }));
}

function within(days, { from, to }) {
  const found = days.filter(({ date }) => from <= day(date) && day(date) <= to);
  if (!found.length) return null;
  const tally = together(found);
  for (const key of ["first_token_ms", "tokens_per_second"]) tally[key] = median(found.map((each) => each[key]));
  return tally;
}

function median(values) {
  const known = values.filter((value) => value !== null).sort((left, right) => left - right);
  if (!known.length) return null;
  const middle = known.length >> 1;
  return known.length % 2 ? known[middle] : (known[middle - 1] + known[middle]) / 2;
}

// Returns the figures of an axis that goes from 0 to `most` or a little beyond.
export function ticks(most) {
  if (!(most > 0)) return [0, 1];
  const rough = most / 4;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 2.5, 5, 10].map((each) => each * power).find((each) => each >= rough);
  return Array.from({ length: Math.ceil(most / step) + 1 }, (_, index) => index * step);
}

export const onAxis = (key, value) => {
  if (key === "first_token_ms") return `${+(value / 1000).toPrecision(3)} s`;
  return value >= 1000 ? short.format(value) : `${+value.toPrecision(3)}`;
};
