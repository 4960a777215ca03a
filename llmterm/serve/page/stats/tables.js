// The figures in rows: of providers and their models, and of days.

import { html } from "./elements.js";
import { MEASURES, TOTALS, measure, title, together, written } from "./figures.js";

export function totals(place, stats) {
  const all = together(stats.models);
  place.replaceChildren(
    ...TOTALS.map((key) => html("div", {}, html("dt", {}, title(measure(key))), html("dd", {}, written(key, all)))),
  );
}

export function models(place, stats) {
  const groups = new Map();
  for (const each of stats.models) groups.set(each.provider, [...(groups.get(each.provider) ?? []), each]);
  const rows = [...groups].flatMap(([provider, found]) =>
    found.length === 1
      ? [row("alone", `${provider}/${found[0].model}`, found[0])]
      : [row("provider", provider, together(found)), ...found.map((each) => row("model", each.model, each))],
  );
  place.replaceChildren(head("Model"), html("tbody", {}, ...rows));
}

export function days(place, spans, series) {
  const rows = spans.flatMap((span, at) => {
    const found = series.map(({ tallies }) => tallies[at]).filter((tally) => tally !== null);
    return found.length ? [row("day-row", span.name, together(found))] : [];
  });
  place.replaceChildren(head("Day"), html("tbody", {}, ...rows.reverse()));
}

function head(first) {
  const names = [first, ...MEASURES.map(({ name }) => name)];
  return html("thead", {}, html("tr", {}, ...names.map((name) => html("th", { scope: "col" }, name))));
}

function row(kind, name, tally) {
  const cells = MEASURES.map(({ key, name: of, bad }) =>
    html("td", { "data-name": of, ...(bad && tally[key] ? { class: "bad" } : {}) }, written(key, tally)),
  );
  return html("tr", { class: kind }, html("th", { scope: "row" }, name), ...cells);
}
