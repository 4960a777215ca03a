// One measure over time: bars on top of each other for what adds up, curves for what does not.

import { html, svg } from "./elements.js";
import { measure, onAxis, ticks, together, written } from "./figures.js";

const HEIGHT = 240;
const [LEFT, RIGHT, TOP, BOTTOM] = [46, 6, 12, 24];
const LABEL_WIDTH = 64;

export function legend(place, series) {
  place.replaceChildren(
    ...series.map(({ name }, index) =>
      html(
        "li",
        {},
        svg("svg", { width: 10, height: 10, "aria-hidden": "true" }, svg("rect", { width: 10, height: 10, rx: 3, class: `series-${index}` })),
        name,
      ),
    ),
  );
}

export function chart(place, key, spans, series) {
  const width = Math.max(place.clientWidth, 240);
  const { sum, name } = measure(key);
  const values = series.map(({ tallies }) => tallies.map((tally) => tally?.[key] ?? null));
  const most = Math.max(0, ...spans.map((_, at) => heightOf(values, at, sum)));
  const marks = ticks(most);
  const scale = (value) => HEIGHT - BOTTOM - (value / marks.at(-1)) * (HEIGHT - TOP - BOTTOM);
  const slot = (width - LEFT - RIGHT) / spans.length;
  const middle = (at) => LEFT + slot * (at + 0.5);
  const drawing = svg(
    "svg",
    { viewBox: `0 0 ${width} ${HEIGHT}`, height: HEIGHT, role: "group", "aria-label": `${name} by day` },
    ...marks.flatMap((value) => [
      svg("line", { x1: LEFT, x2: width - RIGHT, y1: scale(value), y2: scale(value), class: "grid" }),
      svg("text", { x: LEFT - 8, y: scale(value) + 4, "text-anchor": "end", class: "axis" }, onAxis(key, value)),
    ]),
    ...labels(spans, width, middle),
    ...(sum ? bars(values, spans, slot, middle, scale) : curves(values, middle, scale)),
  );
  place.replaceChildren(drawing);
  spans.forEach((span, at) => drawing.append(hovered(place, key, span, at, series, LEFT + slot * at, slot)));
}

function heightOf(values, at, sum) {
  const known = values.map((each) => each[at] ?? 0);
  return sum ? known.reduce((left, right) => left + right, 0) : Math.max(0, ...known);
}

function labels(spans, width, middle) {
  const every = Math.max(1, Math.ceil((spans.length * LABEL_WIDTH) / (width - LEFT - RIGHT)));
  return spans.flatMap((span, at) => {
    if ((spans.length - 1 - at) % every) return [];
    const half = LABEL_WIDTH / 2 - 8;
    const x = Math.min(Math.max(middle(at), half), width - half);
    return [svg("text", { x, y: HEIGHT - 6, "text-anchor": "middle", class: "axis" }, span.short)];
  });
}

function* bars(values, spans, slot, middle, scale) {
  const thick = Math.max(1.5, Math.min(36, slot * 0.68));
  for (let at = 0; at < spans.length; at += 1) {
    let below = 0;
    for (let index = 0; index < values.length; index += 1) {
      const value = values[index][at];
      if (!value) continue;
      const [bottom, top] = [scale(below), scale(below + value)];
      yield svg("rect", {
        x: middle(at) - thick / 2,
        y: top,
        width: thick,
        height: Math.max(bottom - top, 0.75),
        rx: Math.min(2, thick / 4),
        class: `bar series-${index}`,
      });
      below += value;
    }
  }
}

function* curves(values, middle, scale) {
  for (let index = 0; index < values.length; index += 1) {
    const points = values[index].flatMap((value, at) => (value === null ? [] : [[middle(at), scale(value)]]));
    if (points.length > 1) {
      yield svg("polyline", { points: points.map((each) => each.join(",")).join(" "), class: `curve series-${index}` });
    }
    for (const [cx, cy] of points) yield svg("circle", { cx, cy, r: 3, class: `bar series-${index}` });
  }
}

// A strip that tells of its span while the pointer is on it, or the keyboard has come to it.
function hovered(place, key, span, at, series, x, width) {
  const { name, sum } = measure(key);
  const known = series.flatMap((each) => (each.tallies[at]?.[key] ? [[each.name, each.tallies[at]]] : []));
  const whole = known.length > 1 && sum ? [["together", together(known.map(([, tally]) => tally))]] : [];
  const rows = [...known, ...whole].map(([who, tally]) => [who, written(key, tally)]);
  const said = `${span.name}: ${rows.length ? rows.map((row) => row.join(" ")).join(", ") : "nothing"}`;
  const strip = svg("rect", {
    x, y: TOP, width, height: HEIGHT - TOP - BOTTOM, class: "day", role: "img", "aria-label": `${name}, ${said}`,
    ...(rows.length ? { tabindex: 0 } : {}),
  });
  const tip = html(
    "div",
    { class: "tip", "aria-hidden": "true" },
    html("p", {}, span.name),
    ...rows.map(([who, figure]) => html("p", {}, html("span", {}, who), html("b", {}, figure))),
  );
  const show = () => {
    if (!rows.length) return;
    place.append(tip);
    const left = x + width / 2 > place.clientWidth / 2 ? x - tip.offsetWidth - 8 : x + width + 8;
    tip.style.left = `${Math.max(0, Math.min(left, place.clientWidth - tip.offsetWidth))}px`;
  };
  for (const kind of ["pointerenter", "focus"]) strip.addEventListener(kind, show);
  for (const kind of ["pointerleave", "blur"]) strip.addEventListener(kind, () => tip.remove());
  return strip;
}
