// From what a person wants to what was done: ask, send, wait until it is applied, say so.

import { correct, job, view } from "./api.js";
import { button, dialog, el, toast } from "./dom.js";
import { photo } from "./photos.js";
import { T } from "./texts.js";

const PATIENCE_MS = 30_000;
export const MOST_IMAGES = 256;

let latest = null; // what Ctrl+Z takes back: [pet, job]

// Sends corrections as one job, and shows the screen anew when it is applied or stale. `seen` is the view that the
// person looked at. Resolves to true when nothing more is to be done: it was applied, or given up as stale.
export async function send(context, seen, corrections, anyway = false) {
  const { pet_id: petId } = seen;
  const jobId = `page_${crypto.getRandomValues(new Uint32Array(4)).join("_")}`;
  const word = toast(T.change.sending);
  try {
    await correct(petId, { job_id: jobId, corrections, anyway, seen: digests(seen, corrections) });
    const state = await outcome(petId, jobId);
    if (state === null) return void toast(T.change.slow);
    if (state.state === "applied") {
      const isUndo = corrections[0].op === "undo";
      latest = isUndo ? null : [petId, jobId];
      const back = isUndo ? [] : [button(T.change.undo, () => undo(context, seen, jobId))];
      toast(T.change.done[corrections[0].op], ...back);
    } else if (state.reason !== "stale_correction") return void toast(T.change.dead(state.reason, state.error));
    else if (!anyway && (await askAnyway(petId, corrections, seen))) return await send(context, seen, corrections, true);
    else toast(T.change.stale);
    await context.again();
    return true;
  } catch (error) {
    toast(error.status === 0 ? T.unreachable : T.failed(error.message));
  } finally {
    word.remove();
  }
}

export const undo = (context, seen, jobId) => send(context, seen, [{ op: "undo", job_id: jobId }]);

// Ctrl+Z takes back what this page said last of the pet; in a field it is the field's.
export function undoByKey(context, seen) {
  const pressed = (event) => {
    if (event.key !== "z" || !(event.ctrlKey || event.metaKey) || event.shiftKey) return;
    if (event.target.matches("input, textarea") || latest?.[0] !== seen.pet_id) return;
    event.preventDefault();
    undo(context, seen, latest[1]);
  };
  document.addEventListener("keydown", pressed, { signal: context.signal });
}

async function outcome(petId, jobId) {
  const ends = Date.now() + PATIENCE_MS;
  for (let pause = 60; Date.now() < ends; pause = Math.min(1500, pause * 1.5)) {
    await new Promise((resume) => setTimeout(resume, pause));
    const state = await job(petId, jobId).catch((error) => {
      if (error.status === 404) return { state: "queued" };
      throw error;
    });
    if (state.state === "applied" || state.state === "dead") return state;
  }
  return null;
}

const clustersIn = (corrections) => new Set(corrections.flatMap((each) => [each.cluster, each.to, ...(each.clusters ?? [])]));

// What the person saw of the clusters that are named: where one is another by then, nothing is changed.
function digests(seen, corrections) {
  const named = clustersIn(corrections);
  return Object.fromEntries(seen.clusters.filter((each) => each.seen && named.has(each.id)).map((each) => [each.id, each.seen]));
}

// The clusters have moved on: what came and went in those that are named, as far as the two views show it.
async function askAnyway(petId, corrections, seen) {
  const named = clustersIn(corrections);
  const now = await view(petId);
  const shown = (of) => new Set(of.clusters.filter((each) => named.has(each.id)).flatMap((each) => each.members.map((member) => member.image_id)));
  const [before, after] = [shown(seen), shown(now)];
  const came = [...after].filter((image) => !before.has(image));
  const went = [...before].filter((image) => !after.has(image));
  const about = [...(came.length ? strip(T.change.came(came.length), came) : []), ...(went.length ? strip(T.change.went(went.length), went) : [])];
  return dialog(T.change.staleTitle, [el("p", {}, T.change.stale), ...about], T.change.anyway);
}

// The first few photos of some, below a word on them.
function strip(about, images) {
  return [el("h3", {}, about), el("ul", { class: "strip" }, images.slice(0, 6).map((each) => el("li", {}, photo(each, each, 128))))];
}

// What would come of it, asked of the daemon and told in words; `corrections` are asked for anew at each call.
function preview(petId, corrections) {
  const shown = el("ul", { class: "plain", "aria-live": "polite" });
  const show = async () => {
    try {
      const { change, in_the_way: pairs } = await correct(petId, { corrections: corrections(), dry_run: true });
      const lines = [...pairs.map((pair) => T.change.inTheWay(...pair)), ...change.clusters.map(T.change.becomes)];
      shown.replaceChildren(...lines.map((line) => el("li", {}, line)));
    } catch (error) {
      shown.replaceChildren(el("li", { class: "bad" }, error.status === 409 ? T.change.refused(error.message) : T.failed(error.message)));
    }
  };
  show();
  return [shown, show];
}

export const nameOf = (cluster) => cluster.label || T.pet.unnamed;

// Which id survives a merge: that of the oldest, which has the lowest number.
export const oldest = (clusters) => clusters.reduce((one, other) => (number(other.id) < number(one.id) ? other : one));
export const number = (clusterId) => Number(clusterId.slice(clusterId.lastIndexOf("-") + 1));

// What to send for a merge as the person wants it, or null.
export async function askMerge(clusters, petId) {
  const survivor = oldest(clusters);
  const size = clusters.reduce((sum, each) => sum + each.size, 0);
  const names = [...new Set(clusters.map(nameOf))];
  const heroes = clusters.filter((each) => each.hero_image_id);
  const name = choice("merge-name", [[T.change.asItComes, ""], ...names.map((each) => [each, each])]);
  const hero = choice("merge-hero", [[T.change.asItComes, ""], ...heroes.map((each) => [`${nameOf(each)} · ${each.hero_image_id}`, each.hero_image_id])]);
  const ids = [survivor.id, ...clusters.map((each) => each.id).filter((id) => id !== survivor.id)];
  const asked = () => [{ op: "merge", clusters: ids, ...(name.value && { label: name.value }), ...(hero.value && { image_id: hero.value }) }];
  const [shown, again] = preview(petId, asked);
  for (const each of [name, hero]) each.addEventListener("change", again);
  const content = [
    el("p", {}, T.change.mergeAbout(survivor.id)),
    el("ul", { class: "plain" }, clusters.map((each) => el("li", {}, el("bdi", {}, nameOf(each)), ` · ${T.photos(each.size)}`))),
    field(T.change.mergeName, name),
    field(T.change.mergeHero, hero),
    el("h3", {}, T.change.preview),
    shown,
  ];
  return dialog(T.change.mergeTitle(clusters.length, size), content, T.change.go.merge, asked);
}

export async function askSplit(cluster, imageIds, petId) {
  const about = imageIds.length === cluster.size ? T.change.splitAll : T.change.splitAbout(imageIds.length, nameOf(cluster));
  const asked = () => [{ op: "split", cluster: cluster.id, image_ids: imageIds }];
  const content = [el("p", {}, about), el("h3", {}, T.change.preview), preview(petId, asked)[0]];
  return dialog(T.change.splitTitle(imageIds.length, cluster.size), content, T.change.go.split, asked);
}

// `first` is the cluster that is chosen to begin with.
export async function askMove(from, imageIds, clusters, petId, first) {
  const others = clusters.filter((each) => each.id !== from.id && !each.provisional);
  const to = choice("move-to", others.map((each) => [`${nameOf(each)} · ${T.photos(each.size)}`, each.id]));
  if (first) to.value = first;
  const asked = () => [{ op: "move", image_ids: imageIds, to: to.value }];
  const [shown, again] = preview(petId, asked);
  to.addEventListener("change", again);
  const content = [el("p", {}, T.change.moveAbout(nameOf(from))), field(T.change.moveTo, to), el("h3", {}, T.change.preview), shown];
  return dialog(T.change.moveTitle(imageIds.length), content, T.change.go.move, asked);
}

export async function askApart(clusters) {
  const yes = await dialog(T.change.apartTitle, [el("p", {}, T.change.apartAbout)], T.change.go.apart);
  return yes && [{ op: "apart", clusters: clusters.map((each) => each.id) }];
}

function choice(id, options) {
  return el("select", { id }, options.map(([label, value]) => el("option", { value }, label)));
}

function field(label, control) {
  return el("p", { class: "field" }, el("label", { for: control.id }, label), control);
}
