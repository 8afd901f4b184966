// From what a person wants to what was done: ask, send, wait until it is applied, say so.

import { correct, job, view } from "./api.js";
import { button, dialog, el, toast } from "./dom.js";
import { T } from "./texts.js";

const PATIENCE_MS = 30_000;
export const MOST_IMAGES = 256;

let latest = null; // what Ctrl+Z takes back: [pet, job]

// Sends corrections as one job, and shows the screen anew when it is applied or stale. `seen` is the view that the
// person looked at.
export async function send(context, seen, corrections) {
  const { pet_id: petId } = seen;
  const jobId = `page_${crypto.getRandomValues(new Uint32Array(4)).join("_")}`;
  const word = toast(T.change.sending);
  try {
    await correct(petId, { job_id: jobId, corrections });
    const state = await outcome(petId, jobId);
    if (state === null) return toast(T.change.slow);
    if (state.state === "applied") {
      const isUndo = corrections[0].op === "undo";
      latest = isUndo ? null : [petId, jobId];
      const back = isUndo ? [] : [button(T.change.undo, () => undo(context, seen, jobId))];
      toast(T.change.done[corrections[0].op], ...back);
    } else if (state.reason === "stale_correction") toast(await stale(petId, corrections, seen));
    else return toast(T.change.dead(state.reason, state.error));
    await context.again();
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

// What came and went in the clusters that were named, as far as the two views show it.
async function stale(petId, corrections, seen) {
  const named = new Set(corrections.flatMap((each) => [each.cluster, each.to, ...(each.clusters ?? [])]));
  const now = await view(petId);
  const shown = (of) => new Set(of.clusters.filter((each) => named.has(each.id)).flatMap((each) => each.members.map((member) => member.image_id)));
  const [before, after] = [shown(seen), shown(now)];
  const came = [...after].filter((image) => !before.has(image)).length;
  const went = [...before].filter((image) => !after.has(image)).length;
  return [T.change.stale, came && T.change.came(came), went && T.change.went(went)].filter(Boolean).join(" ");
}

export const nameOf = (cluster) => cluster.label || T.pet.unnamed;

// Which id survives a merge: that of the oldest, which has the lowest number.
export const oldest = (clusters) => clusters.reduce((one, other) => (number(other.id) < number(one.id) ? other : one));
export const number = (clusterId) => Number(clusterId.slice(clusterId.lastIndexOf("-") + 1));

// What to send for a merge as the person wants it, or null.
export async function askMerge(clusters) {
  const survivor = oldest(clusters);
  const size = clusters.reduce((sum, each) => sum + each.size, 0);
  const names = [...new Set(clusters.map(nameOf))];
  const heroes = clusters.filter((each) => each.hero_image_id);
  const name = choice("merge-name", [[T.change.asItComes, ""], ...names.map((each) => [each, each])]);
  const hero = choice("merge-hero", [[T.change.asItComes, ""], ...heroes.map((each) => [`${nameOf(each)} · ${each.hero_image_id}`, each.hero_image_id])]);
  const content = [
    el("p", {}, T.change.mergeAbout(survivor.id)),
    el("ul", { class: "plain" }, clusters.map((each) => el("li", {}, el("bdi", {}, nameOf(each)), ` · ${T.photos(each.size)}`))),
    field(T.change.mergeName, name),
    field(T.change.mergeHero, hero),
  ];
  const picked = await dialog(T.change.mergeTitle(clusters.length, size), content, T.change.go.merge, () => [name.value, hero.value]);
  if (!picked) return null;
  const asked = [{ op: "merge", clusters: [survivor.id, ...clusters.map((each) => each.id).filter((id) => id !== survivor.id)] }];
  if (picked[0]) asked.push({ op: "rename", cluster: survivor.id, label: picked[0] });
  if (picked[1]) asked.push({ op: "set_hero", cluster: survivor.id, image_id: picked[1] });
  return asked;
}

export async function askSplit(cluster, imageIds) {
  const about = imageIds.length === cluster.size ? T.change.splitAll : T.change.splitAbout(imageIds.length, nameOf(cluster));
  const yes = await dialog(T.change.splitTitle(imageIds.length, cluster.size), [el("p", {}, about)], T.change.go.split);
  return yes && [{ op: "split", cluster: cluster.id, image_ids: imageIds }];
}

export async function askMove(from, imageIds, clusters) {
  const others = clusters.filter((each) => each.id !== from.id && !each.provisional);
  const to = choice("move-to", others.map((each) => [`${nameOf(each)} · ${T.photos(each.size)}`, each.id]));
  const content = [el("p", {}, T.change.moveAbout(nameOf(from))), field(T.change.moveTo, to)];
  const target = await dialog(T.change.moveTitle(imageIds.length), content, T.change.go.move, () => to.value);
  return target && [{ op: "move", image_ids: imageIds, to: target }];
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
