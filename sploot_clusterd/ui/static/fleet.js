// The pipeline: what the fleet does, process by process and over the last minutes, and its pause.

import { follow, pause, resume } from "./api.js";
import { chart } from "./chart.js";
import { busy, button, dialog, el, toast } from "./dom.js";
import { T } from "./texts.js";
import { local } from "./times.js";

const SPANS = { "15m": 15 * 60, "8h": 8 * 3600 };
const CHARTS = [
  ["jobs", [["done_s", "one"], ["failed_s", "bad"]], 1],
  ["backlog", [["backlog", "one"]], 0],
  ["oldest", [["oldest_s", "one"]], 1],
  ["latency", [["p50_ms", "one"], ["p99_ms", "two"]], 1],
];
let span = "15m";

export async function showFleet(main, context) {
  document.title = `${T.fleet.title} · ${T.name}`;
  const charts = el("div", { class: "charts" });
  const rows = el("tbody", {});
  const word = el("div", { role: "status" });
  const stopped = el("p", { class: "bad", role: "alert", hidden: true }, T.unreachable);
  let points = [];
  const draw = (told) => {
    const from = told.at - SPANS[span];
    points = [...(told.whole ? [] : points), ...told.points].filter((each) => each.at > from);
    charts.replaceChildren(...CHARTS.map(([name, lines, digits]) => figure(name, lines, digits, { ...told, points })));
    rows.replaceChildren(...told.processes.map(processRow));
    sayPause(word, told);
  };
  const choice = Object.keys(SPANS).map((value) => el("option", { value, selected: value === span }, T.fleet.spans[value]));
  const by = el("select", { id: "span", on: { change: () => ((span = by.value), start()) } }, choice);
  const head = T.fleet.columns.map((title, n) => el("th", { scope: "col", class: n > 3 ? "figure" : null }, title));
  const table = el("table", {}, el("caption", { class: "quiet" }, T.fleet.processes), el("thead", {}, el("tr", {}, head)), rows);
  const paused = button(T.fleet.pause, askPause, { class: "danger" });
  main.replaceChildren(
    el("div", { class: "row" }, el("h1", {}, T.fleet.title), el("label", { for: "span" }, T.fleet.span), by, paused),
    stopped,
    word,
    charts,
    el("div", { class: "wide", tabindex: "0", role: "region", "aria-label": T.fleet.processes }, table),
  );
  let other = new AbortController(); // of the span that is not wanted any more
  const start = () => {
    other.abort();
    other = new AbortController();
    follow(span, AbortSignal.any([context.signal, other.signal]), draw, (silent) => (stopped.hidden = !silent));
  };
  start();
}

function figure(name, lines, digits, { at, points, processes }) {
  const texts = T.fleet.charts[name];
  const last = points.at(-1);
  const shown = lines.map(([key]) => texts.value(last?.[key] ?? null, digits)).join(" · ");
  const from = at - SPANS[span];
  const starts = processes.filter((each) => each.since > from).map((each) => [each.since, T.fleet.started(each.process, each.version)]);
  const drawn = chart(`${texts.title}: ${shown}`, points, lines, from, at, starts);
  return el("figure", { class: "card", title: texts.metric }, el("figcaption", {}, el("span", {}, texts.title), el("b", {}, shown)), drawn);
}

function processRow(each) {
  const state = each.reasons.length ? el("span", { class: "tag dead" }, each.reasons.join("; ")) : el("span", { class: "tag" }, T.fleet.ready);
  const warnings = each.warnings.length ? [" ", el("span", { class: "quiet" }, each.warnings.join("; "))] : [];
  return el(
    "tr",
    {},
    el("th", { scope: "row" }, each.process),
    el("td", {}, each.version),
    el("td", {}, local(each.since * 1000)),
    el("td", {}, state, ...warnings),
    [T.fleet.rate(each.done_s), each.lag_ms === null ? "–" : T.fleet.ms(each.lag_ms), each.restarts].map((text) => el("td", { class: "figure" }, String(text))),
  );
}

// What a pause says of itself each process has among its warnings.
function sayPause(word, told) {
  const said = told.processes.flatMap((each) => each.warnings).find((each) => each.startsWith("paused until"));
  const shown = word.dataset.said ?? "";
  if ((said ?? "") === shown) return;
  word.dataset.said = said ?? "";
  if (!said) return word.replaceChildren();
  const go = button(T.fleet.resume, () => busy(go, () => change(resume, T.fleet.resumed)), { class: "primary" });
  word.replaceChildren(el("div", { class: "changed row" }, el("span", {}, T.fleet.paused(said)), go));
}

async function askPause() {
  const reason = el("input", { id: "reason", maxlength: 128, required: true });
  const length = el("select", { id: "length" }, Object.entries(T.fleet.lengths).map(([minutes, label]) => el("option", { value: minutes }, label)));
  const content = [
    el("p", {}, T.fleet.pauseAbout),
    el("p", { class: "field" }, el("label", { for: "reason" }, T.fleet.reason), reason),
    el("p", { class: "field" }, el("label", { for: "length" }, T.fleet.length), length),
  ];
  const sure = await dialog(T.fleet.pauseTitle, content, T.fleet.pauseGo, () => true, { kind: "danger" });
  if (!sure) return;
  const until = new Date(Date.now() + length.value * 60_000).toISOString();
  await change(() => pause(reason.value, until), T.fleet.pausing);
}

async function change(work, done) {
  try {
    await work();
    toast(done);
  } catch (error) {
    toast(error.status === 0 ? T.unreachable : T.failed(error.message));
  }
}
