// The pipeline: what the fleet does, process by process and over the last minutes, and its pause.

import { pause, resume } from "./api.js";
import { chart } from "./chart.js";
import { busy, button, dialog, el, toast } from "./dom.js";
import { SPANS, follow } from "./stream.js";
import { T } from "./texts.js";
import { local } from "./times.js";

const CHARTS = [
  ["jobs", [["in_s", "two"], ["done_s", "one"]], 1],
  ["failed", [["failed_s", "two"], ["dead_s", "bad"]], 1],
  ["backlog", [["backlog", "one"]], 0],
  ["oldest", [["oldest_s", "one"]], 1],
  ["latency", [["p50_ms", "one"], ["p99_ms", "two"]], 1],
  ["wants", [["wants", "one"]], 0],
];
let runbooks = null; // where operations.md can be read
let span = "15m";

export function runbooksAt(url) {
  runbooks = url;
}

export async function showFleet(main, context) {
  document.title = `${T.fleet.title} · ${T.name}`;
  const charts = el("div", { class: "charts" });
  const rows = el("tbody", {});
  const word = el("div", { role: "status" });
  const stopped = el("p", { class: "bad", role: "alert", hidden: true }, T.unreachable);
  const why = el("ul", { class: "found" });
  const failing = el("section", { hidden: true }, el("h2", {}, T.fleet.failing), why);
  const marked = el("ul", { class: "plain" });
  let known = null;
  const draw = (told) => {
    known = told;
    const lately = (each) => each.at > told.at - SPANS[span];
    const marks = told.marks.filter(lately);
    showCharts(charts, { at: told.at, points: told.points[span].filter(lately), marks });
    marked.replaceChildren(...marks.map((each) => el("li", {}, inWords(each))));
    showTroubles(failing, why, told.processes);
    rows.replaceChildren(...told.processes.map(processRow));
    sayPause(word, told);
  };
  const choice = Object.keys(SPANS).map((value) => el("option", { value, selected: value === span }, T.fleet.spans[value]));
  const by = el("select", { id: "span", on: { change: () => ((span = by.value), known && draw(known)) } }, choice);
  const head = T.fleet.columns.map((title, n) => el("th", { scope: "col", class: n > 3 ? "figure" : null }, toRunbook(title, T.fleet.columnRunbooks[n])));
  const table = el("table", {}, el("caption", { class: "quiet" }, T.fleet.processes), el("thead", {}, el("tr", {}, head)), rows);
  const paused = button(T.fleet.pause, askPause, { class: "danger" });
  main.replaceChildren(
    el("div", { class: "row" }, el("h1", {}, T.fleet.title), el("label", { for: "span" }, T.fleet.span), by, paused),
    stopped,
    word,
    charts,
    el("details", {}, el("summary", {}, T.fleet.marks), marked),
    failing,
    el("div", { class: "wide", tabindex: "0", role: "region", "aria-label": T.fleet.processes }, table),
  );
  follow(context.login, context.signal, draw, (silent) => (stopped.hidden = !silent));
}

// A text that leads to what to do about it, where it is known where that can be read.
function toRunbook(text, section) {
  if (!runbooks || !section) return text;
  return el("a", { href: `${runbooks}#${section}`, target: "_blank", rel: "noreferrer" }, text);
}

// Each chart is put in place of its former self, but for its caption, which may have the focus.
function showCharts(charts, told) {
  if (!charts.children.length) charts.append(...CHARTS.map(frame));
  CHARTS.forEach(([name, lines, digits], n) => {
    const texts = T.fleet.charts[name];
    const shown = lines.map(([key]) => texts.value(told.points.at(-1)?.[key] ?? null, digits)).join(" · ");
    const marks = told.marks.map((each) => [each.at, inWords(each)]);
    const drawn = chart(`${texts.title}: ${shown}`, told.points, lines, told.at - SPANS[span], told.at, marks);
    charts.children[n].querySelector("b").textContent = shown;
    charts.children[n].lastChild.replaceWith(drawn);
  });
}

const inWords = (mark) => T.fleet.mark(mark, local(mark.at * 1000));

function frame([name]) {
  const { title, metric, runbook } = T.fleet.charts[name];
  return el("figure", { class: "card", title: metric }, el("figcaption", {}, el("span", {}, toRunbook(title, runbook)), el("b", {})), el("span", {}));
}

// Why runs failed lately, of all processes: what was said last first.
function showTroubles(section, list, processes) {
  const found = processes.flatMap((each) => each.troubles.map((one) => ({ ...one, process: each.process }))).sort((one, other) => other.at - one.at);
  section.hidden = !found.length;
  list.replaceChildren(
    ...found.map((each) => el("li", {}, each.error, " ", el("span", { class: "quiet" }, T.fleet.trouble(each.runs, each.process, local(each.at * 1000))))),
  );
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
