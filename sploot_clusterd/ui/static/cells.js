// A grid of photos to take from. Thousands are made a few hundred at a time, as they come into sight.

import { el } from "./dom.js";
import { nameOf } from "./corrections.js";
import { photo } from "./photos.js";
import { T } from "./texts.js";
import { day } from "./times.js";

const AT_ONCE = 200;

export class Cells {
  #cluster;
  #changed;
  #images = [];
  #of = 0;
  #taken = new Set();
  #last = null; // where a range with Shift begins
  #end = el("li", { class: "end", "aria-hidden": "true" });
  #seen;

  // `changed` is called when what is taken changes; null where nothing may be taken.
  constructor(cluster, changed, signal) {
    this.#cluster = cluster;
    this.#changed = changed;
    this.list = el("ul", { class: "cells" }, this.#end);
    this.#seen = new IntersectionObserver((entries) => entries.some((each) => each.isIntersecting) && this.#grow(), { rootMargin: "600px" });
    this.#seen.observe(this.#end);
    signal.addEventListener("abort", () => this.#seen.disconnect());
  }

  get count() {
    return this.#images.length;
  }

  get taken() {
    return this.#images.map((each) => each.image_id).filter((id) => this.#taken.has(id));
  }

  empty() {
    this.#images = [];
    this.#last = null;
    this.list.replaceChildren(this.#end);
  }

  add(images, of) {
    this.#images.push(...images);
    this.#of = of;
    if (this.list.children.length <= AT_ONCE) this.#grow();
  }

  take(all) {
    this.#taken = new Set(all ? this.#images.map((each) => each.image_id) : []);
    for (const cell of this.list.querySelectorAll("[aria-pressed]")) cell.setAttribute("aria-pressed", all);
    this.#changed();
  }

  #grow() {
    const first = this.list.children.length - 1;
    const more = this.#images.slice(first, first + AT_ONCE);
    this.#end.before(...more.map((each, n) => this.#cell(each, first + n)));
    if (more.length === AT_ONCE) {
      this.#seen.unobserve(this.#end); // to be told again if it is still in sight
      this.#seen.observe(this.#end);
    }
  }

  #cell(each, place) {
    const hero = each.image_id === this.#cluster.hero_image_id;
    const when = each.captured_at && day(each.captured_at);
    const spoken = T.spoken({ label: nameOf(this.#cluster), when, quality: each.quality_score, place: place + 1, of: this.#of });
    const marks = [hero && el("span", { class: "tag" }, T.cluster.hero), each.fit !== null && el("span", { class: "fit" }, T.cluster.fit(each.fit))];
    const inner = [photo(each.image_id, spoken), el("span", { class: "marks" }, marks)];
    if (!this.#changed) return el("li", { title: each.image_id }, el("span", { class: "cell" }, inner));
    const cell = el("button", { type: "button", class: "cell", title: each.image_id, "aria-pressed": this.#taken.has(each.image_id) }, inner);
    cell.addEventListener("click", (event) => this.#toggle(place, event.shiftKey));
    return el("li", {}, cell);
  }

  #toggle(place, range) {
    const on = !this.#taken.has(this.#images[place].image_id);
    const from = range && this.#last !== null ? this.#last : place;
    for (let n = Math.min(from, place); n <= Math.max(from, place); n++) {
      const { image_id: id } = this.#images[n];
      if (on) this.#taken.add(id);
      else this.#taken.delete(id);
      this.list.children[n].firstChild.setAttribute("aria-pressed", on);
    }
    this.#last = place;
    this.#changed();
  }
}
