// The page: what is chosen is fetched, and shown. The address says what is chosen.

import { settings } from "../settings.js";
import { chart, legend } from "./chart.js";
import { html } from "./elements.js";
import { DRAWN, measure, series, spans, title } from "./figures.js";
import { days, models, totals } from "./tables.js";

settings.begin();
const PERIODS = ["7", "30", "90", ""];
const $ = (id) => document.getElementById(id);
const chosen = new URLSearchParams(location.search);
let [period, drawn] = [chosen.get("days") ?? "30", chosen.get("measure") ?? DRAWN[0]];
if (!PERIODS.includes(period)) period = "30";
if (!DRAWN.includes(drawn)) drawn = DRAWN[0];
let shown = null;
let asked = 0;

async function load() {
  const number = (asked += 1);
  if (!shown) $("state").textContent = "Reading …";
  try {
    const response = await fetch(period ? `/v1/stats?days=${period}` : "/v1/stats");
    const stats = await response.json();
    if (number !== asked) return;
    if (!response.ok) throw new Error(stats.error.message);
    shown = stats;
    show();
  } catch (error) {
    if (number !== asked) return;
    $("figures").hidden = true;
    $("state").textContent = `The figures cannot be read: ${error.message}`;
  }
}

function show() {
  const none = !shown.models.length;
  $("figures").hidden = none;
  $("state").textContent = none ? (period ? "No model has answered in these days." : "No model has answered yet.") : "";
  if (none) return;
  const all = spans(shown);
  const found = series(shown, all);
  totals($("totals"), shown);
  legend($("legend"), found);
  chart($("chart"), drawn, all, found);
  days($("days"), all, found);
  models($("models"), shown);
  $("notes").textContent = [
    "First token and tokens/s are medians. Pauses are all ends but the provider's own; failures those of them that a fault has cut. What failed before its first word is on no record, and not counted.",
    shown.models.some((each) => each.estimated) ? "~ estimated: for some of it the provider sent no count." : "",
    shown.models.some((each) => each.cost !== null)
      ? "Resumes is what of the cost it took to ask again what was there; Saved is how much more all would have cost without the providers' caches."
      : "There is a cost where a price is known.",
  ].join(" ");
}

function remember() {
  const query = new URLSearchParams({ days: period, measure: drawn });
  history.replaceState(null, "", `?${query}`);
}

for (const key of DRAWN) {
  const input = html("input", { type: "radio", name: "measure", value: key });
  $("measure").append(html("label", {}, input, html("span", {}, title(measure(key)))));
}
for (const input of document.querySelectorAll(".choice input")) {
  input.checked = input.value === (input.name === "period" ? period : drawn);
  input.addEventListener("change", () => {
    if (input.name === "period") period = input.value;
    else drawn = input.value;
    remember();
    if (input.name === "period") load();
    else if (shown) show();
  });
}
new ResizeObserver(() => shown?.models.length && show()).observe($("chart"));
document.addEventListener("visibilitychange", () => document.hidden || load());
load();
