// All photos of one cluster, those in doubt first; a click takes one.

import { members, said, view } from "./api.js";
import { MOST_IMAGES, askMove, askSplit, nameOf, send, undoByKey } from "./corrections.js";
import { busy, button, el, toast } from "./dom.js";
import { target } from "./drag.js";
import { Cells } from "./cells.js";
import { mapDrawer } from "./map.js";
import { toPet } from "./pets.js";
import { T } from "./texts.js";
import { showWhy } from "./why.js";
import { watch } from "./watch.js";

const UNCLUSTERED = "unclustered";
const PAGE = 500;
let order = "doubt";

export async function showCluster(main, context, petId, clusterId) {
  const [seen, told] = await Promise.all([view(petId, context.signal), said(petId, context.signal).catch(() => ({ said: [] }))]);
  const cluster = clusterId === UNCLUSTERED ? loose(seen) : seen.clusters.find((each) => each.id === clusterId);
  const back = el("a", { href: toPet(petId) }, `← ${T.pet.back}`);
  if (!cluster) return main.replaceChildren(el("p", {}, back), el("p", {}, T.cluster.gone));
  document.title = `${nameOf(cluster)} · ${petId}`;
  const actions = el("div", { class: "actions", hidden: true, role: "region", "aria-live": "polite" });
  const status = el("span", { class: "quiet", role: "status" });
  const may = context.may("correct");
  const cells = new Cells(cluster, {
    changed: may ? () => (fillActions(actions, context, seen, cluster, cells), map.refresh()) : null,
    opened: cluster.provisional ? null : (imageId) => showWhy(seen, imageId, context.signal),
    words: wordsOf(told.said),
    dragging: cluster.provisional ? null : (on) => drop.replaceChildren(...(on ? targets(context, seen, cluster) : [])),
    signal: context.signal,
  });
  const map = mapDrawer(petId, cluster, cells, context.signal);
  const drop = el("div", { class: "drop" });
  const load = async () => {
    await fill(cells, cluster, petId, status, context.signal);
    map.shown.hidden = false; // before, a point would take only what is there already
    map.refresh();
  };
  const changed = el("div", { class: "changed", role: "status" });
  const bar = el("div", { class: "row" }, ...(clusterId === UNCLUSTERED ? [] : orderBy(load)), status);
  if (may) bar.append(button(T.cluster.all, () => cells.take(true)), el("span", { class: "quiet" }, T.cluster.pick));
  else if (!cluster.provisional) bar.append(el("span", { class: "quiet" }, T.cluster.look));
  main.replaceChildren(el("p", {}, back), ...heading(context, seen, cluster, may), changed, bar, may && isReal(cluster) ? map.shown : "", cells.list, actions, drop);
  watch(seen, context.signal, (version) => changed.replaceChildren(T.pet.changed(version), " ", button(T.pet.show, context.again)));
  undoByKey(context, seen);
  await load();
}

// Whether it is a cluster of photos that have vectors: of others photos can be hidden, and little else.
const isReal = (cluster) => cluster.id !== UNCLUSTERED && !cluster.provisional;

// Where photos that are dragged may go, while they are.
function targets(context, seen, cluster) {
  const found = seen.clusters.filter((each) => each.id !== cluster.id && !each.provisional).map((each) => {
    const shown = el("li", { class: "card" }, el("bdi", {}, nameOf(each)), ` · ${T.photos(each.size)}`);
    target(shown, () => true, async (images) => {
      if (images.length > MOST_IMAGES) return toast(T.change.tooMany(MOST_IMAGES));
      const asked = await askMove(cluster, images, seen.clusters, seen.pet_id, each.id);
      if (asked) await send(context, seen, asked);
    });
    return shown;
  });
  return [el("p", {}, T.change.dropOn), el("ul", { class: "targets" }, found)];
}

// What users said lately of single images: image -> the words for it, the latest first.
function wordsOf(said) {
  const words = new Map();
  for (const { op, image_id: one, image_ids: some = one ? [one] : [] } of said.flatMap((each) => each.corrections)) {
    for (const image of some) words.set(image, [...new Set([...(words.get(image) ?? []), T.change.ops[op]])]);
  }
  return new Map([...words].map(([image, ops]) => [image, ops.join(", ")]));
}

// Photos in no cluster, as if they were one.
function loose(seen) {
  const shown = seen.unclustered.map((image_id) => ({ image_id, fit: null, quality_score: null, captured_at: null }));
  return { id: UNCLUSTERED, label: T.pet.unclustered, size: shown.length, hero_image_id: null, provisional: false, shown };
}

function orderBy(load) {
  const by = el(
    "select",
    { id: "order", on: { change: () => ((order = by.value), load()) } },
    Object.entries(T.cluster.orders).map(([value, label]) => el("option", { value, selected: value === order }, label)),
  );
  return [el("label", { for: "order" }, T.cluster.by), by];
}

function heading(context, seen, cluster, may) {
  const title = el("h1", {}, el("bdi", {}, nameOf(cluster)));
  const about = el("p", { class: "quiet" }, `${T.photos(cluster.size)} · `, el("code", {}, cluster.id));
  if (!may || !isReal(cluster)) return [title, about];
  const name = el("input", { id: "name", value: cluster.label, maxlength: 128, required: true });
  const go = el("button", { type: "submit" }, T.cluster.rename);
  const form = el("form", { class: "row" }, el("label", { for: "name" }, T.cluster.name), name, go);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const asked = [{ op: "rename", cluster: cluster.id, label: name.value }];
    await busy(go, () => send(context, seen, asked));
  });
  return [title, about, form];
}

async function fill(cells, cluster, petId, status, signal) {
  cells.empty();
  if (cluster.shown) {
    cells.add(cluster.shown, cluster.size);
    status.textContent = T.cluster.loaded(cluster.size, cluster.size);
    return;
  }
  const of = order;
  const all = [];
  for await (const page of members(petId, cluster.id, of === "doubt" ? "fit" : of, PAGE, signal)) {
    if (of !== order) return; // another order was chosen meanwhile
    if (of === "doubt") all.push(...page.images);
    else cells.add(page.images, page.size);
    status.textContent = T.cluster.loaded(all.length || cells.count, page.size);
  }
  if (of === "doubt") cells.add(all.reverse(), all.length);
}

function fillActions(actions, context, seen, cluster, cells) {
  const taken = cells.taken;
  const n = taken.length;
  const act = (ask) => async (event) => {
    if (n > MOST_IMAGES) return toast(T.change.tooMany(MOST_IMAGES));
    const asked = await ask();
    if (asked) await busy(event.target, () => send(context, seen, asked));
  };
  const stay = () => [{ op: "stay", cluster: cluster.id, image_ids: taken }];
  const hero = () => [{ op: "set_hero", cluster: cluster.id, image_id: taken[0] }];
  const notHere = () => [{ op: "not_here", cluster: cluster.id, image_ids: taken }];
  const hide = () => [{ op: "hide", image_ids: taken }];
  actions.hidden = n === 0;
  actions.replaceChildren(el("span", {}, T.cluster.selected(n, cluster.size)));
  if (isReal(cluster)) actions.append(button(T.change.split(n, cluster.size), act(() => askSplit(cluster, taken, seen.pet_id)), { class: "primary" }));
  if (!cluster.provisional && seen.clusters.some((each) => each.id !== cluster.id && !each.provisional)) {
    actions.append(button(T.change.move(n), act(() => askMove(cluster, taken, seen.clusters, seen.pet_id))));
  }
  if (isReal(cluster)) actions.append(button(T.change.stay(n), act(stay)), button(T.change.notHere(n), act(notHere)));
  actions.append(button(T.change.hide(n), act(hide)));
  if (n === 1 && isReal(cluster)) actions.append(button(T.change.hero, act(hero)));
  if (n === 1 && !cluster.provisional) actions.append(button(T.why.ask, () => showWhy(seen, taken[0], context.signal)));
  actions.append(button(T.cluster.clear, () => cells.take(false)));
}
