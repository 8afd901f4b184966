// What is below a pet's clusters, and asked for when it is opened: what users said, what they hid, the latest jobs.

import { hidden, jobs, said } from "./api.js";
import { nameOf, send, undo } from "./corrections.js";
import { busy, button, el } from "./dom.js";
import { T } from "./texts.js";
import { time } from "./times.js";

// `lines` gives the list's elements; without any, `none` is said.
function drawer(title, none, lines) {
  const list = el("ul", { class: "found" });
  const shown = el("details", {}, el("summary", {}, title), list);
  shown.addEventListener("toggle", async () => {
    if (!shown.open) return;
    try {
      const found = await lines();
      list.replaceChildren(...(found.length ? found : [el("li", {}, none)]));
    } catch (error) {
      if (error.name !== "AbortError") list.replaceChildren(el("li", { class: "bad" }, T.failed(error.message)));
    }
  });
  return shown;
}

export function saidList(context, seen) {
  return drawer(T.change.said, T.change.noSaid, async () => {
    const told = await said(seen.pet_id, context.signal);
    return told.said.map((each) => {
      const ops = [...new Set(each.corrections.map((one) => T.change.ops[one.op]))].join(", ");
      const about = [el("span", {}, ops), " ", el("span", { class: "quiet" }, time(each.at, el), each.actor ? ` · ${T.change.by(each.actor)}` : "")];
      if (context.may("correct")) about.push(" ", taking(T.change.undo, () => undo(context, seen, each.job_id)));
      return el("li", {}, about);
    });
  });
}

export function hiddenList(context, seen) {
  return drawer(T.change.hidden, T.change.noHidden, async () => {
    const found = await hidden(seen.pet_id, context.signal);
    const line = (name, asked) => {
      const back = context.may("correct") ? taking(T.change.unhide, () => send(context, seen, [{ op: "unhide", ...asked }])) : "";
      return el("li", {}, el("bdi", {}, name), " ", back);
    };
    return [
      ...found.clusters.map((each) => line(`${nameOf(each)} · ${T.photos(each.size)}`, { cluster: each.id })),
      ...found.image_ids.map((each) => line(each, { image_ids: [each] })),
    ];
  });
}

export function jobList(petId, { signal }) {
  return drawer(T.pet.jobs, T.pet.noJobs, async () => (await jobs(petId, signal)).jobs.map(jobLine));
}

function jobLine(each) {
  const more = [each.reason, each.error].filter(Boolean).join(": ");
  const state = el("span", { class: `tag ${each.state}` }, T.pet.job[each.state]);
  return el("li", {}, state, " ", el("span", {}, each.job_id), " ", el("span", { class: "quiet" }, time(each.at, el), more && ` · ${more}`));
}

function taking(label, act) {
  const control = button(label, () => busy(control, act));
  return control;
}
