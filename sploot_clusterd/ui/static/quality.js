// How good the clusters are: in some albums, which are others each minute; by what jobs changed; by what is known of encoders.

import { quality } from "./api.js";
import { chart } from "./chart.js";
import { busy, button, el, toast } from "./dom.js";
import { toPet } from "./pets.js";
import { T } from "./texts.js";
import { local, time } from "./times.js";

const SPAN_S = 8 * 3600;
const CHARTS = [
  ["silhouette", [["silhouette", "one"]]],
  ["unclustered", [["unclustered", "one"]]],
  ["merges", [["merges", "one"], ["splits", "two"]]],
  ["hero_changes", [["hero_changes", "one"]]],
  ["corrections", [["corrections", "one"]]],
];
const LARGEST = 10_000; // the last step of sizes, which takes all that are larger

const { figure } = T.quality;

export async function showQuality(main, { signal }) {
  document.title = `${T.quality.title} · ${T.name}`;
  const shown = el("div", {});
  const again = button(T.quality.again, () =>
    busy(again, async () => {
      try {
        draw(shown, await quality(signal));
      } catch (error) {
        if (error.name !== "AbortError") toast(error.status === 0 ? T.unreachable : T.failed(error.message));
      }
    }),
  );
  draw(shown, await quality(signal));
  main.replaceChildren(el("div", { class: "row" }, el("h1", {}, T.quality.title), again), shown);
}

function draw(shown, { sample, fleet, encoders }) {
  shown.replaceChildren(
    el("p", { role: "status" }, T.quality.sample(sample.albums, sample.complete), " ", el("span", { class: "quiet" }, T.quality.at, " ", time(sample.at, el))),
    sample.unreadable ? el("p", { class: "bad" }, T.quality.unreadable(sample.unreadable)) : "",
    ...(sample.models.length ? [...looks(sample), ...models(sample), ...sizes(sample)] : [el("p", {}, T.quality.none)]),
    ...jobs(fleet),
    ...words(encoders),
  );
}

function looks({ look, gain }) {
  const rows = look.map((each) => [
    el("a", { href: toPet(each.pet_id, ...(each.gain ? ["questions"] : [])) }, each.pet_id),
    ...[each.images, each.clusters, each.unclustered, each.silhouette].map((value) => figure(value)),
    figure(each.gain, 1),
  ]);
  const about = look.length ? T.quality.lookAbout(gain) : T.quality.lookNone;
  return [el("h2", {}, T.quality.look), el("p", {}, about), ...(look.length ? [table(T.quality.look, Object.values(T.quality.columns), rows)] : [])];
}

function models({ models: found }) {
  const rows = found.map((each) => [el("bdi", {}, each.model_version || T.quality.noModel), ...[each.albums, each.images, each.clusters, each.unclustered, each.silhouette].map((value) => figure(value))]);
  return [el("h2", {}, T.quality.models), el("p", { class: "quiet" }, T.quality.silhouetteAbout), table(T.quality.models, Object.values(T.quality.modelColumns), rows)];
}

function sizes({ sizes: steps }) {
  const all = steps.reduce((sum, each) => sum + each.clusters, 0);
  const rows = steps.map((each) => [sizeOf(each.up_to), figure(each.clusters), el("meter", { max: all, value: each.clusters, "aria-label": T.percent(each.clusters / all) })]);
  return steps.length ? [el("h2", {}, T.quality.sizes), table(T.quality.sizes, T.quality.sizeColumns, rows)] : [];
}

// Steps double up to 256; those between that are not there have no cluster.
function sizeOf(upTo) {
  if (upTo === LARGEST) return T.quality.sizeOver(1024);
  return T.quality.size(upTo === 1024 ? 257 : Math.floor(upTo / 2) + 1, upTo);
}

function jobs(fleet) {
  const title = el("h2", {}, T.quality.fleet);
  if (!fleet?.processes) return [title, el("p", {}, T.quality.noFleet)];
  const { totals, points } = fleet;
  const to = points.at(-1)?.at ?? 0;
  const charts = CHARTS.map(([name, lines]) => {
    const texts = T.quality.charts[name];
    const last = lines.map(([key]) => figure(points.at(-1)?.[key] ?? null)).join(" · ");
    return el("figure", { class: "card", title: texts.metric }, el("figcaption", {}, el("span", {}, texts.title), el("b", {}, last)), chart(`${texts.title}: ${last}`, points, lines, to - SPAN_S, to, []));
  });
  const counts = Object.entries(T.quality.totals).map(([name, label]) => [label, figure(totals[name])]);
  const corrections = Object.entries(totals.corrections).sort(([, a], [, b]) => b - a).map(([op, n]) => [T.change.ops[op] ?? op, figure(n)]);
  return [
    title,
    el("p", { class: "quiet" }, T.quality.fleetAbout(fleet.processes, local(fleet.since * 1000))),
    points.length ? el("div", { class: "charts" }, charts) : el("p", {}, T.quality.noPoints),
    table(T.quality.fleet, [T.quality.kind, T.quality.count], counts),
    el("h3", {}, T.quality.corrections),
    corrections.length ? table(T.quality.corrections, [T.quality.kind, T.quality.count], corrections) : el("p", {}, T.quality.noCorrections),
  ];
}

function words(encoders) {
  const told = encoders.map((each) => {
    const state = el("span", { class: "tag" }, each.settled ? T.quality.settled : T.quality.learning);
    const lines = each.words.length ? each.words : [T.quality.noWords];
    return [el("h3", {}, el("bdi", {}, T.quality.encoder(each.model_version || T.quality.noModel, each.generation)), " ", state), el("ul", { class: "plain" }, lines.map((line) => el("li", {}, line)))];
  });
  return [el("h2", {}, T.quality.encoders), ...(told.length ? told.flat() : [el("p", {}, T.quality.noEncoders)])];
}

// The first column names the row, the others are figures.
function table(label, head, rows) {
  const cell = (content, n) => (n ? el("td", { class: "figure" }, content) : el("th", { scope: "row" }, content));
  const heads = head.map((title, n) => el("th", { scope: "col", class: n ? "figure" : null }, title));
  const made = el("table", {}, el("thead", {}, el("tr", {}, heads)), el("tbody", {}, rows.map((row) => el("tr", {}, row.map(cell)))));
  made.setAttribute("aria-label", label);
  return el("div", { class: "scrolls", tabindex: "0", role: "region", "aria-label": label }, made);
}
