// A round of questions: answers are kept until they were looked over, then sent together.

import { suggestions, view } from "./api.js";
import { nameOf, send } from "./corrections.js";
import { busy, button, el } from "./dom.js";
import { toPet } from "./pets.js";
import { photo } from "./photos.js";
import { T } from "./texts.js";

const ROUND = 5;
const STRIP = 6;
const LEAST_GAIN = 0.5; // below half a photo a question is hardly worth a tap
const skipped = new Set(); // for as long as the page is open: what cannot be told today may be plain tomorrow

export async function showQuestions(main, context, petId) {
  document.title = T.questions.title(petId);
  const back = el("p", {}, el("a", { href: toPet(petId) }, `← ${T.pet.back}`));
  const title = el("h1", {}, T.questions.title(petId));
  const screen = el("div", {});
  main.replaceChildren(back, title, screen);
  const [seen, asked] = await Promise.all([view(petId, context.signal), suggestions(petId, 20, context.signal)]);
  const worth = asked.suggestions.filter((each) => each.expected_gain >= LEAST_GAIN && !skipped.has(nameOfQuestion(each)));
  new Round(screen, context, seen, worth.slice(0, ROUND)).show();
}

const nameOfQuestion = (each) => `${each.question} ${each.cluster ?? each.clusters.join(" ")} ${each.image_id ?? ""}`;

class Round {
  #screen;
  #context;
  #seen;
  #questions;
  #answers = []; // of each question so far: the corrections, or [] where it was skipped

  constructor(screen, context, seen, questions) {
    this.#screen = screen;
    this.#context = context;
    this.#seen = seen;
    this.#questions = questions;
    document.addEventListener("keydown", (event) => this.#key(event), { signal: context.signal });
    window.addEventListener("beforeunload", (event) => this.#said.length && this.#screen.isConnected && event.preventDefault(), { signal: context.signal });
  }

  get #said() {
    return this.#answers.flat();
  }

  show() {
    if (!this.#questions.length) return this.#screen.replaceChildren(el("p", {}, T.questions.none));
    const question = this.#questions[this.#answers.length];
    if (!question) return this.#review();
    const left = this.#questions.slice(this.#answers.length);
    const gain = left.reduce((sum, each) => sum + each.expected_gain, 0);
    const card = question.question === "same" ? this.#same(question) : this.#belongs(question);
    const undo = button(T.questions.undo, () => this.#undo(), { "data-key": "u", disabled: !this.#answers.length });
    const skip = button(T.questions.skip, () => this.#skip(question), { "data-key": "s" });
    card.append(el("div", { class: "row" }, ...card.answers, skip, undo), el("p", { class: "quiet" }, T.questions.keys));
    this.#screen.replaceChildren(el("p", { class: "quiet", role: "status" }, T.questions.left(left.length, gain)), card);
    card.answers[0].focus();
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

  #undo() {
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
    const list = said.length ? el("ul", {}, said.map((each) => el("li", {}, this.#inWords(each)))) : el("p", {}, T.questions.nothing);
    const undo = button(T.questions.undo, () => this.#undo(), { "data-key": "u" });
    const go = said.length
      ? button(T.questions.send, () => this.#send(go), { class: "primary" })
      : button(T.questions.another, this.#context.again, { class: "primary" });
    this.#screen.replaceChildren(el("h2", {}, T.questions.review), list, el("div", { class: "row" }, go, undo));
    go.focus();
  }

  async #send(go) {
    await busy(go, () => send(this.#context, this.#seen, this.#said));
  }

  #inWords(each) {
    const name = (id) => nameOf(this.#cluster(id));
    if (each.op === "merge") return T.questions.saidSame(...each.clusters.map(name));
    if (each.op === "apart") return T.questions.saidApart(...each.clusters.map(name));
    const say = each.op === "stay" ? T.questions.saidStay : T.questions.saidSplit;
    return say(each.image_ids.length, name(each.cluster));
  }
}

// What a "no" to some photos, and a "yes" to the others, is as corrections.
function belonging(cluster, images, out) {
  const stay = images.filter((image) => !out.has(image));
  const split = images.filter((image) => out.has(image));
  return [
    ...(stay.length ? [{ op: "stay", cluster, image_ids: stay }] : []),
    ...(split.length ? [{ op: "split", cluster, image_ids: split, asked: true }] : []),
  ];
}
