// A pet's clusters as a gallery.

import { erase, suggestions, view } from "./api.js";
import { askApart, askMerge, nameOf, number, send, undoByKey } from "./corrections.js";
import { busy, button, dialog, el, toast } from "./dom.js";
import { draggable, target } from "./drag.js";
import { hiddenList, jobList, saidList } from "./drawers.js";
import { forget, remember, toPet } from "./pets.js";
import { photo } from "./photos.js";
import { T } from "./texts.js";
import { time } from "./times.js";
import { watch } from "./watch.js";

const BY = {
  size: (one, other) => Boolean(other.label) - Boolean(one.label) || other.size - one.size || number(one.id) - number(other.id),
  name: (one, other) => nameOf(one).localeCompare(nameOf(other)) || number(one.id) - number(other.id),
  number: (one, other) => number(one.id) - number(other.id),
};
let order = "size";

export async function showPet(main, context, petId) {
  document.title = `${petId} · ${T.name}`;
  const seen = await view(petId, context.signal).catch((error) => {
    if (error.status === 404) return null;
    throw error;
  });
  if (seen === null) {
    main.replaceChildren(el("h1", {}, T.pet.title(petId)), el("p", {}, T.pet.none), jobList(petId, context));
    return;
  }
  remember(petId);
  const selected = new Set();
  const actions = el("div", { class: "actions", hidden: true, role: "region", "aria-live": "polite" });
  const grid = el("ul", { class: "gallery" });
  const refresh = () => fillActions(actions, context, seen, selected, grid);
  const fill = () => grid.replaceChildren(...cards(context, seen, selected, refresh));
  fill();
  const by = el(
    "select",
    { id: "order", on: { change: () => ((order = by.value), fill()) } },
    Object.entries(T.pet.orders).map(([value, label]) => el("option", { value, selected: value === order }, label)),
  );
  const changed = el("div", { class: "changed", role: "status" });
  main.replaceChildren(
    ...heading(context, seen),
    changed,
    el("div", { class: "row" }, el("label", { for: "order" }, T.pet.by), by),
    grid,
    saidList(context, seen),
    hiddenList(context, seen),
    jobList(petId, context),
    actions,
  );
  undoByKey(context, seen);
  watch(seen, context.signal, (version) => changed.replaceChildren(T.pet.changed(version), " ", button(T.pet.show, context.again)));
}

function heading(context, seen) {
  const { pet_id: petId } = seen;
  const ask = el("a", { class: "button", href: toPet(petId, "questions"), hidden: true }, T.pet.questions);
  if (context.may("correct")) offerQuestions(petId, ask, context.signal);
  const gone = context.may("erase") ? button(T.pet.erase, () => askErase(petId), { class: "danger" }) : null;
  const summary = el("p", { class: "quiet" }, `${T.pet.summary(seen)} · ${T.pet.version(seen.version)} · `, time(seen.updated_at, el));
  return [el("div", { class: "row" }, el("h1", {}, T.pet.title(petId)), ask, gone ?? ""), summary];
}

async function offerQuestions(petId, link, signal) {
  const asked = await suggestions(petId, 5, signal).catch(() => ({ suggestions: [] }));
  link.hidden = asked.suggestions.length === 0;
}

function cards(context, seen, selected, refresh) {
  const found = [...seen.clusters].sort(BY[order]).map((each) => card(context, seen, each, selected, refresh));
  if (seen.unclustered.length) found.push(unclustered(seen));
  return found;
}

function card(context, seen, cluster, selected, refresh) {
  const label = nameOf(cluster);
  const best = cluster.members.find((each) => each.image_id === cluster.hero_image_id) ?? cluster.members[0];
  const spoken = T.spoken({ label, quality: best?.quality_score });
  const picture = best ? photo(cluster.hero_image_id ?? best.image_id, spoken) : el("div", { class: "photo" });
  const open = el("a", { href: toPet(seen.pet_id, cluster.id), "aria-label": T.pet.open(label) }, picture, el("bdi", { class: "label" }, label));
  const marks = [el("span", {}, T.photos(cluster.size))];
  if (cluster.quality_score !== null) marks.push(el("span", {}, T.pet.score(cluster.quality_score)));
  if (cluster.provisional) marks.push(el("span", { class: "tag", title: T.pet.provisionalWhy }, T.pet.provisional));
  if (cluster.corrected) marks.push(el("span", { class: "tag", title: T.pet.correctedWhy }, T.pet.corrected));
  const parts = [open, el("p", { class: "marks" }, marks)];
  const may = context.may("correct") && !cluster.provisional;
  if (may) parts.push(selector(label, cluster, selected, refresh));
  const shown = el("li", { class: "card", "data-cluster": cluster.id, "data-name": cluster.id }, parts);
  if (!may) return shown;
  draggable(shown, () => cluster);
  target(shown, (held) => held !== cluster, async (held) => {
    const asked = await askMerge([cluster, held], seen.pet_id);
    if (asked) await send(context, seen, asked);
  });
  return shown;
}

function selector(label, cluster, selected, refresh) {
  const box = el("input", { type: "checkbox", "aria-label": T.pet.select(label), checked: selected.has(cluster.id) });
  box.addEventListener("change", () => {
    if (box.checked) selected.add(cluster.id);
    else selected.delete(cluster.id);
    refresh();
  });
  return el("span", { class: "pick" }, box);
}

function unclustered(seen) {
  const first = seen.unclustered.slice(0, 4).map((image) => photo(image, "", 128));
  const link = el("a", { href: toPet(seen.pet_id, "unclustered") }, el("div", { class: "four" }, first), el("span", { class: "label" }, T.pet.unclustered));
  return el("li", { class: "card" }, link, el("p", { class: "marks" }, T.photos(seen.metrics.num_unclustered)));
}

function fillActions(actions, context, seen, selected, grid) {
  const clusters = seen.clusters.filter((each) => selected.has(each.id));
  const size = clusters.reduce((sum, each) => sum + each.size, 0);
  const act = (ask) => async (event) => {
    const asked = await ask(clusters, seen.pet_id);
    if (asked) await busy(event.target, () => send(context, seen, asked));
  };
  const clear = () => {
    selected.clear();
    for (const box of grid.querySelectorAll("input:checked")) box.checked = false;
    actions.hidden = true;
  };
  actions.hidden = clusters.length === 0;
  actions.replaceChildren(el("span", {}, T.pet.selected(clusters.length, size)));
  if (clusters.length > 1) actions.append(button(T.change.merge(clusters.length), act(askMerge), { class: "primary" }));
  if (clusters.length === 2) actions.append(button(T.change.apart, act(askApart)));
  const hide = () => clusters.map((each) => ({ op: "hide", cluster: each.id }));
  if (clusters.length) actions.append(button(T.change.hide(clusters.length), act(hide)));
  actions.append(button(T.pet.clear, clear));
}

async function askErase(petId) {
  const typed = el("input", { id: "typed", autocomplete: "off", pattern: petId.replace(/[.]/g, "\\$&"), required: true });
  const content = [el("p", {}, T.erase.about), el("p", { class: "field" }, el("label", { for: "typed" }, T.erase.type), typed)];
  const sure = await dialog(T.erase.title(petId), content, T.erase.go, () => typed.value === petId, { kind: "danger" });
  if (!sure) return;
  try {
    await erase(petId);
    forget(petId);
    location.hash = "#/";
    toast(T.erase.done(petId));
  } catch (error) {
    toast(T.failed(error.message));
  }
}
