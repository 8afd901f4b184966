// One box for anything that has an id.

import { find } from "./api.js";
import { busy, el } from "./dom.js";
import { toLetter } from "./letter.js";
import { recent, toPet } from "./pets.js";
import { T } from "./texts.js";

const ID = /^[A-Za-z0-9._:-]{1,128}$/;

export async function showFind(main, { signal, may }) {
  document.title = `${T.find.title} · ${T.name}`;
  const box = el("input", { id: "sought", type: "search", autocomplete: "off", spellcheck: "false", autocapitalize: "off" });
  const go = el("button", { class: "primary", type: "submit" }, T.find.go);
  const status = el("p", { role: "status", class: "quiet" });
  const found = el("ul", { class: "found" });
  const form = el("form", { class: "row", role: "search" }, el("label", { for: "sought" }, T.find.label), box, go);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    busy(go, () => look(box.value.trim(), found, status, signal, may));
  });
  const latest = recent().map((petId) => el("li", {}, el("a", { href: toPet(petId) }, petId)));
  const lately = latest.length ? [el("h2", {}, T.find.recent), el("ul", { class: "found" }, latest)] : [];
  main.replaceChildren(el("h1", {}, T.find.title), form, status, found, ...lately);
  box.focus();
}

async function look(name, found, status, signal, may) {
  found.replaceChildren();
  if (!ID.test(name)) {
    status.textContent = T.find.badId;
    return;
  }
  status.textContent = T.find.searching;
  try {
    let after = "";
    while (after !== null) {
      const part = await find(name, after, signal);
      found.append(...part.found.map((each) => line(each, may)));
      after = part.next;
    }
    status.textContent = found.children.length ? "" : T.find.none(name);
  } catch (error) {
    if (error.name !== "AbortError") status.textContent = T.failed(error.message);
  }
}

function line(each, may) {
  const name = each.dead_letter ?? each.image_id ?? each.job_id ?? each.pet_id;
  const ofPet = each.pet_id && ID.test(each.pet_id) ? toPet(each.pet_id) : null;
  const href = each.dead_letter && may("operate") ? toLetter(each.dead_letter) : ofPet;
  const shown = href ? el("a", { href }, name) : el("span", {}, name);
  const of = each.what === "pet" || !each.pet_id ? null : el("span", { class: "quiet" }, T.find.ofPet(each.pet_id));
  const reason = each.reason ? el("span", { class: "tag" }, each.reason) : null;
  return el("li", {}, el("span", { class: "tag" }, T.find.what[each.what]), " ", shown, " ", of, " ", reason);
}
