// A round of questions: answers are kept until they were looked over, then sent together.

import { suggestions, view } from "./api.js";
import { nameOf, send } from "./corrections.js";
import { busy, button, dialog, el } from "./dom.js";
import { toPet } from "./pets.js";
import { photo } from "./photos.js";
import { T } from "./texts.js";
import { whyDrawer } from "./why.js";

const ROUND = 5;
const STRIP = 6;
const LEAST_GAIN = 0.5; // below half a photo a question is hardly worth a tap
const skipped = new Set(); // for as long as the page is open: what cannot be told today may be plain tomorrow
const unsent = new Map(); // pet -> a round that was left with answers: view, questions, answers, and what they are all worth

export async function showQuestions(main, context, petId) {
  document.title = T.questions.title(petId);
  const back = el("p", {}, el("a", { href: toPet(petId) }, `← ${T.pet.back}`));
  const title = el("h1", {}, T.questions.title(petId));
  const screen = el("div", {});
  main.replaceChildren(back, title, screen);
  const kept = unsent.get(petId);
  if (kept) return new Round(screen, context, kept).show();
  const [seen, asked] = await Promise.all([view(petId, context.signal), suggestions(petId, 20, context.signal)]);
  const worth = asked.suggestions.filter((each) => each.expected_gain >= LEAST_GAIN && !skipped.has(nameOfQuestion(each)));
  new Round(screen, context, { seen, questions: worth.slice(0, ROUND), answers: [], worth }).show();
}

const nameOfQuestion = (each) => `${each.question} ${each.cluster ?? each.clusters.join(" ")} ${each.image_id ?? ""}`;

class Round {
  #screen;
  #context;
  #seen;
  #questions;
  #answers; // of each question so far: the corrections, or [] where it was skipped
  #worth;
  #over = false; // whether the person looks over what they said, though there are questions left

  constructor(screen, context, { seen, questions, answers, worth }) {
    this.#screen = screen;
    this.#context = context;
    this.#seen = seen;
    this.#questions = questions;
    this.#answers = answers;
    this.#worth = worth;
    document.addEventListener("click", (event) => this.#leave(event), { signal: context.signal, capture: true });
    document.addEventListener("keydown", (event) => this.#key(event), { signal: context.signal });
    window.addEventListener("beforeunload", (event) => this.#said.length && this.#screen.isConnected && event.preventDefault(), { signal: context.signal });
  }

  get #said() {
    return this.#answers.flat();
  }

  show() {
    if (!this.#questions.length) return this.#screen.replaceChildren(el("p", {}, T.questions.none));
    this.#keep();
    const question = this.#questions[this.#answers.length];
    if (!question || this.#over) return this.#review();
    const left = this.#questions.slice(this.#answers.length);
    const later = this.#worth.slice(this.#questions.length);
    const card = question.question === "same" ? this.#same(question) : this.#belongs(question);
    const undo = button(T.questions.undo, () => this.#undo(), { "data-key": "u", disabled: !this.#answers.length });
    const skip = button(T.questions.skip, () => this.#skip(question), { "data-key": "s" });
    const finish = this.#said.length ? [button(T.questions.finish, () => this.#finish())] : [];
    card.append(whyDrawer(this.#seen, this.#doubted(question), this.#context.signal));
    card.append(el("div", { class: "row" }, ...card.answers, skip, undo, ...finish), el("p", { class: "quiet" }, T.questions.keys));
    const sum = [T.questions.left(left.length, gainOf(left)), ...(later.length ? [T.questions.later(later.length, gainOf(later))] : [])];
    this.#screen.replaceChildren(el("p", { class: "quiet", role: "status" }, sum.join("; ")), card);
    card.answers[0].focus();
  }

  // The photo whose place the question is about: of two clusters, what the smaller one shows first.
  #doubted({ image_ids: images, clusters }) {
    if (images) return images[0];
    const smaller = clusters.map((id) => this.#cluster(id)).reduce((one, other) => (other.size < one.size ? other : one));
    return smaller.hero_image_id ?? smaller.members[0]?.image_id ?? "";
  }

  #same({ clusters, expected_gain: gain }) {
    const two = clusters.map((id) => this.#cluster(id));
    const card = el("section", { class: "card question" }, el("h2", {}, T.questions.same), el("p", { class: "quiet" }, T.questions.gain(gain)));
    card.append(...two.map((each) => this.#strip(each)));
    card.answers = [
      button(T.questions.yes, () => this.#answer([{ op: "merge", clusters }]), { class: "primary", "data-key": "y" }),
      button(T.questions.no, () => this.#answer([{ op: "apart", clusters }]), { "data-key": "n" }),
    ];
    return card;
  }

  #strip(cluster) {
    const shown = cluster.members.slice(0, STRIP).map((each) => el("li", {}, photo(each.image_id, T.spoken({ label: nameOf(cluster), quality: each.quality_score }))));
    return el("figure", {}, el("ul", { class: "strip" }, shown), el("figcaption", {}, el("bdi", {}, nameOf(cluster)), ` · ${T.photos(cluster.size)}`));
  }

  #belongs({ cluster: id, image_ids: images, expected_gain: gain }) {
    const cluster = this.#cluster(id);
    const out = new Set();
    const yes = button(T.questions.allBelong, () => this.#answer(belonging(id, images, out)), { class: "primary", "data-key": "y" });
    const no = button(T.questions.none9, () => this.#answer(belonging(id, images, new Set(images))), { "data-key": "n" });
    const cells = images.map((image, n) => {
      const spoken = T.spoken({ label: nameOf(cluster), place: n + 1, of: images.length });
      const cell = el("button", { type: "button", class: "cell out", "aria-pressed": "false", title: image }, photo(image, spoken));
      cell.addEventListener("click", () => {
        if (!out.delete(image)) out.add(image);
        cell.setAttribute("aria-pressed", out.has(image));
        yes.textContent = out.size ? T.questions.notThose(out.size) : T.questions.allBelong;
      });
      return el("li", {}, cell);
    });
    const card = el("section", { class: "card question" }, el("h2", {}, T.questions.belongs(nameOf(cluster))), el("p", { class: "quiet" }, T.questions.gain(gain)));
    card.append(this.#strip(cluster), el("p", {}, T.questions.belongsAbout), el("ul", { class: "cells few" }, cells));
    card.answers = [yes, no];
    return card;
  }

  #cluster(id) {
    return this.#seen.clusters.find((each) => each.id === id) ?? { id, label: id, members: [], size: 0 };
  }

  #answer(corrections) {
    this.#answers.push(corrections);
    this.show();
  }

  #skip(question) {
    skipped.add(nameOfQuestion(question));
    this.#answer([]);
  }

  #finish() {
    this.#over = true;
    this.show();
  }

  #undo() {
    if (this.#over) {
      this.#over = false;
      return this.show();
    }
    this.#answers.pop();
    const question = this.#questions[this.#answers.length];
    if (question) skipped.delete(nameOfQuestion(question));
    this.show();
  }

  #key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
    const control = this.#screen.querySelector(`[data-key="${event.key.toLowerCase()}"]`);
    if (control && !control.disabled) control.click();
  }

  #review() {
    const said = this.#said;
    const list = said.length ? this.#list() : el("p", {}, T.questions.nothing);
    const undo = button(T.questions.undo, () => this.#undo(), { "data-key": "u" });
    const go = said.length
      ? button(T.questions.send, () => this.#send(go), { class: "primary" })
      : button(T.questions.another, this.#context.again, { class: "primary" });
    this.#screen.replaceChildren(el("h2", {}, T.questions.review), list, el("div", { class: "row" }, go, undo));
    go.focus();
  }

  #list() {
    return el("ul", {}, this.#said.map((each) => el("li", {}, this.#inWords(each))));
  }

  async #send(go) {
    unsent.delete(this.#seen.pet_id);
    const done = await busy(go, () => send(this.#context, this.#seen, this.#said));
    if (!done) this.#keep();
  }

  // What was answered waits for the person, for as long as the page is open.
  #keep() {
    const round = { seen: this.#seen, questions: this.#questions, answers: this.#answers, worth: this.#worth };
    if (this.#said.length) unsent.set(this.#seen.pet_id, round);
    else unsent.delete(this.#seen.pet_id);
  }

  // Who goes elsewhere with answers that were not sent looks them over first.
  async #leave(event) {
    const link = event.target.closest?.("a[href]");
    if (!link || link.classList.contains("skip") || !this.#said.length) return;
    event.preventDefault();
    let away = false;
    const keep = button(T.questions.leaveKeep, ({ target }) => ((away = true), target.closest("dialog").close()));
    const sends = await dialog(T.questions.leave, [this.#list(), el("p", {}, keep)], T.questions.leaveSend, () => true, { cancel: T.questions.stay });
    if (sends) await this.#send(link);
    if (sends || away) location.hash = link.hash;
  }

  #inWords(each) {
    const name = (id) => nameOf(this.#cluster(id));
    if (each.op === "merge") return T.questions.saidSame(...each.clusters.map(name));
    if (each.op === "apart") return T.questions.saidApart(...each.clusters.map(name));
    const say = each.op === "stay" ? T.questions.saidStay : T.questions.saidSplit;
    return say(each.image_ids.length, name(each.cluster));
  }
}

const gainOf = (questions) => questions.reduce((sum, each) => sum + each.expected_gain, 0);

// What a "no" to some photos, and a "yes" to the others, is as corrections.
function belonging(cluster, images, out) {
  const stay = images.filter((image) => !out.has(image));
  const split = images.filter((image) => out.has(image));
  return [
    ...(stay.length ? [{ op: "stay", cluster, image_ids: stay }] : []),
    ...(split.length ? [{ op: "split", cluster, image_ids: split, asked: true }] : []),
  ];
}
