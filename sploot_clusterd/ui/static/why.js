// Why a photo is where it is, in words.

import { why } from "./api.js";
import { nameOf } from "./corrections.js";
import { dialog, el, toast } from "./dom.js";
import { photo } from "./photos.js";
import { T } from "./texts.js";

export async function showWhy(seen, imageId, signal) {
  try {
    const told = await why(seen.pet_id, imageId, signal);
    const content = [el("div", { class: "one" }, photo(imageId, imageId)), ...inWords(told, seen)];
    await dialog(T.why.title(imageId), content, T.why.close, () => true, { cancel: "" });
  } catch (error) {
    if (error.name !== "AbortError") toast(T.failed(error.message));
  }
}

// The same beneath something else, asked for when it is opened.
export function whyDrawer(seen, imageId, signal) {
  const told = el("div", { class: "one-why" });
  const shown = el("details", {}, el("summary", {}, T.why.beneath), told);
  const ask = async () => {
    told.replaceChildren(el("p", { class: "quiet" }, T.loading));
    try {
      told.replaceChildren(el("div", { class: "one" }, photo(imageId, imageId)), ...inWords(await why(seen.pet_id, imageId, signal), seen));
    } catch (error) {
      if (error.name !== "AbortError") told.replaceChildren(el("p", { class: "bad" }, T.failed(error.message)));
    }
  };
  shown.addEventListener("toggle", () => shown.open && !told.children.length && ask());
  return shown;
}

function inWords(told, seen) {
  const name = (id) => nameOf(seen.clusters.find((each) => each.id === id) ?? { label: id ?? T.why.shown });
  const parts = [];
  if (told.hidden) parts.push(el("p", {}, T.why.hidden));
  else if (!told.cluster) parts.push(el("p", {}, T.why.none));
  if (told.cell && told.cell.size > 1) parts.push(el("p", {}, T.why.cell(told.cell.size)));
  if (told.evidence.length) parts.push(el("h3", {}, T.why.evidence), table(told.evidence, name));
  if (told.said.length) parts.push(el("p", {}, T.why.said([...new Set(told.said.map((each) => T.change.ops[each.op] ?? T.why.old))])));
  if (told.hero) parts.push(el("p", {}, T.why.hero(told.hero.score, told.hero.quality, told.hero.closeness, told.hero.recency)));
  if (told.hero?.chosen) parts.push(el("p", {}, T.why.chosen));
  return parts;
}

function table(evidence, name) {
  const head = T.why.columns.map((title, n) => el("th", { scope: "col", class: n ? "figure" : null }, title));
  const rows = evidence.map((each) => {
    const own = each.own ? el("span", { class: "tag" }, T.why.own) : null;
    const figures = [each.score, each.threshold, each.likeness].map((n) => el("td", { class: "figure" }, n.toFixed(2)));
    return el("tr", {}, el("td", {}, el("bdi", {}, name(each.cluster)), " ", own), figures);
  });
  return el("table", {}, el("thead", {}, el("tr", {}, head)), el("tbody", {}, rows));
}
