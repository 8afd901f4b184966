// A grid of photos to take from. Thousands are made a few hundred at a time, as they come into sight.

import { el } from "./dom.js";
import { draggable } from "./drag.js";
import { nameOf } from "./corrections.js";
import { photo } from "./photos.js";
import { T } from "./texts.js";
import { day } from "./times.js";

const AT_ONCE = 200;

export class Cells {
  #cluster;
  #changed;
  #opened;
  #words;
  #dragging;
  #images = [];
  #of = 0;
  #taken = new Set();
  #last = null; // where a range with Shift begins
  #end = el("li", { class: "end", "aria-hidden": "true" });
  #seen;

  // `changed` is called when what is taken changes; without it nothing may be taken, and a click calls `opened`, where
  // that is given. `words` tells of an image what users said of it; `dragging` is
  // called with whether photos are being dragged; without it they cannot be.
  constructor(cluster, { changed, opened, words, dragging, signal }) {
    this.#cluster = cluster;
    this.#changed = changed;
    this.#opened = opened;
    this.#words = words;
    this.#dragging = dragging;
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
    this.#paint();
  }

  // Takes all photos of these points of the map, or puts them back where all are taken.
  toggleCells(numbers) {
    const own = this.#images.filter((each) => numbers.includes(each.cell)).map((each) => each.image_id);
    const on = own.some((id) => !this.#taken.has(id));
    for (const id of own) {
      if (on) this.#taken.add(id);
      else this.#taken.delete(id);
    }
    this.#paint();
  }

  // Of each point of the map: how many of its photos are taken, and how many there are.
  countCells() {
    const counts = new Map();
    for (const { cell, image_id: id } of this.#images) {
      const [taken, all] = counts.get(cell) ?? [0, 0];
      counts.set(cell, [taken + this.#taken.has(id), all + 1]);
    }
    return counts;
  }

  #paint() {
    for (const cell of this.list.querySelectorAll("[aria-pressed]")) cell.setAttribute("aria-pressed", this.#taken.has(cell.title));
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
    const said = this.#words.get(each.image_id);
    const spoken = T.spoken({ label: nameOf(this.#cluster), when, quality: each.quality_score, place: place + 1, of: this.#of, said });
    const marks = [hero && el("span", { class: "tag" }, T.cluster.hero), said && el("span", { class: "tag" }, said), each.fit !== null && el("span", { class: "fit" }, T.cluster.fit(each.fit))];
    const inner = [photo(each.image_id, spoken), el("span", { class: "marks" }, marks)];
    if (!this.#changed && !this.#opened) return el("li", { title: each.image_id }, el("span", { class: "cell" }, inner));
    if (!this.#changed) return el("li", {}, el("button", { type: "button", class: "cell", title: each.image_id, on: { click: () => this.#opened(each.image_id) } }, inner));
    const cell = el("button", { type: "button", class: "cell", title: each.image_id, "aria-pressed": String(this.#taken.has(each.image_id)) }, inner);
    cell.addEventListener("click", (event) => this.#toggle(place, event.shiftKey));
    const shown = el("li", { "data-name": each.image_id }, cell);
    if (this.#dragging) draggable(shown, () => this.#drag(each.image_id), () => this.#dragging(true), () => this.#dragging(false));
    return shown;
  }

  // With a photo that is taken all that are taken come along.
  #drag(imageId) {
    return this.#taken.has(imageId) ? this.taken : [imageId];
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
