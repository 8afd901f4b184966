// A pet's photos as points, those that are alike near each other; a click takes a point's photos from the gallery.

import { maps } from "./api.js";
import { el, svg } from "./dom.js";
import { photo } from "./photos.js";
import { T } from "./texts.js";

const WIDTH = 400;
const HEIGHT = 260;
const MARGIN = 20;
const NEAR = 24; // how far beside a point a click may be
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

// `shown` goes below the cluster's heading; `refresh` is for when what is taken has changed.
export function mapDrawer(petId, cluster, cells, signal) {
  const content = el("div", { class: "map-box" });
  const shown = el("details", { hidden: true }, el("summary", {}, T.map.title), content);
  let drawn = [];
  const refresh = () => drawn.forEach((each) => each.refresh());
  const load = async () => {
    content.replaceChildren(el("p", { class: "quiet" }, T.loading));
    try {
      const told = await maps(petId, signal);
      drawn = told.maps.map((each, n) => new Points(each, n, cluster, cells)).filter((each) => each.own.length);
      content.replaceChildren(el("p", { class: "quiet" }, T.map.about), ...drawn.map((each) => each.shown));
      refresh();
    } catch (error) {
      if (error.name !== "AbortError") content.replaceChildren(el("p", { class: "bad" }, T.failed(error.message)));
    }
  };
  shown.addEventListener("toggle", () => shown.open && !drawn.length && load());
  return { shown, refresh };
}

class Points {
  #cells;
  #at = 0; // which of `own` the keys have come to
  #drawing;
  #about = el("p", { class: "quiet" });
  #picture = el("div", { class: "one" });
  #band = svg("rect", { class: "band" });
  #from = null;

  constructor({ model_version: version, cells: points }, n, cluster, cells) {
    this.#cells = cells;
    const place = (each) => ({ ...each, px: scaled(each.x, WIDTH), py: scaled(-each.y, HEIGHT), r: 4 + 1.5 * Math.sqrt(Math.min(each.size, 64)) });
    const placed = points.map(place);
    const mine = (each) => each.cluster === cluster.id;
    this.own = placed.filter(mine).sort((one, other) => one.px - other.px);
    const others = placed.filter((each) => !mine(each)).map((each) => svg("circle", { cx: each.px, cy: each.py, r: each.r, class: "other", "aria-hidden": "true" }));
    this.own.forEach((each, m) => (each.shown = svg("circle", { cx: each.px, cy: each.py, r: each.r, class: "point", role: "option", id: `point-${n}-${m}` })));
    this.#drawing = svg(
      "svg",
      { class: "map", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "listbox", "aria-multiselectable": "true", "aria-label": T.map.of(version), tabindex: 0 },
      ...others,
      this.own.map((each) => each.shown),
      this.#band,
    );
    this.shown = el("div", { class: "map-row" }, this.#drawing, el("div", {}, this.#picture, this.#about));
    this.#listen();
    if (this.own.length) this.#go(0);
  }

  refresh() {
    const counts = this.#cells.countCells();
    for (const each of this.own) {
      const [taken, all] = counts.get(each.cell) ?? [0, 0];
      each.told = T.map.point(each.size, each.image_id, taken);
      each.shown.setAttribute("aria-selected", all > 0 && taken === all);
      each.shown.setAttribute("aria-label", each.told);
      each.shown.classList.toggle("part", taken > 0 && taken < all);
    }
    this.#about.textContent = this.own[this.#at]?.told ?? "";
  }

  #listen() {
    this.#drawing.addEventListener("keydown", (event) => this.#key(event));
    this.#drawing.addEventListener("click", (event) => this.#click(event));
    this.#drawing.addEventListener("pointerdown", (event) => event.pointerType === "mouse" && this.#begin(event));
    this.#drawing.addEventListener("pointermove", (event) => (this.#from ? this.#stretch(event) : this.#look(event)));
    this.#drawing.addEventListener("pointerup", (event) => this.#from && this.#end(event));
  }

  #go(at) {
    this.own[this.#at].shown.classList.remove("at");
    this.#at = at;
    const { shown, image_id: image, told } = this.own[at];
    shown.classList.add("at");
    this.#drawing.setAttribute("aria-activedescendant", shown.id);
    this.#picture.replaceChildren(image ? photo(image, "", 128) : "");
    this.#about.textContent = told ?? "";
  }

  #key(event) {
    const arrow = ARROWS[event.key];
    if (arrow) this.#go(this.#next(...arrow));
    else if (event.key === " " || event.key === "Enter") this.#cells.toggleCells([this.own[this.#at].cell]);
    else return;
    event.preventDefault();
  }

  // The nearest point that way, those straight ahead before those aside.
  #next(dx, dy) {
    const { px, py } = this.own[this.#at];
    const cost = (each) => {
      const [x, y] = [each.px - px, each.py - py];
      const ahead = x * dx + y * dy;
      return ahead <= 0 ? Infinity : ahead + 2 * Math.abs(x * dy - y * dx);
    };
    const best = this.own.reduce((one, other) => (cost(other) < cost(one) ? other : one), this.own[this.#at]);
    return this.own.indexOf(best);
  }

  // Where a pointer is, in the drawing's own units.
  #where(event) {
    return new DOMPoint(event.clientX, event.clientY).matrixTransform(this.#drawing.getScreenCTM().inverse());
  }

  #nearest(event) {
    const { x, y } = this.#where(event);
    const far = (each) => Math.hypot(each.px - x, each.py - y) - each.r;
    const at = this.own.reduce((one, each, n) => (far(each) < far(this.own[one]) ? n : one), 0);
    return far(this.own[at]) <= NEAR ? at : null;
  }

  #look(event) {
    const at = this.#nearest(event);
    if (at !== null && at !== this.#at) this.#go(at);
  }

  #click(event) {
    if (this.#band.dataset.done) return delete this.#band.dataset.done; // it ended a band
    const at = this.#nearest(event);
    if (at === null) return;
    this.#go(at);
    this.#cells.toggleCells([this.own[at].cell]);
  }

  #begin(event) {
    event.preventDefault();
    this.#drawing.focus({ preventScroll: true }); // or what is under the pointer would move
    this.#drawing.setPointerCapture(event.pointerId);
    this.#from = this.#where(event);
  }

  #stretch(event) {
    const box = this.#box(event);
    for (const [name, value] of Object.entries(box)) this.#band.setAttribute(name, value);
  }

  #box(event) {
    const to = this.#where(event);
    const { x, y } = this.#from;
    return { x: Math.min(x, to.x), y: Math.min(y, to.y), width: Math.abs(to.x - x), height: Math.abs(to.y - y) };
  }

  // What lies in the band is taken.
  #end(event) {
    const { x, y, width, height } = this.#box(event);
    this.#from = null;
    for (const name of ["width", "height"]) this.#band.setAttribute(name, 0);
    if (width + height < 8) return; // a click
    this.#band.dataset.done = "yes";
    const within = this.own.filter(({ px, py }) => px >= x && px <= x + width && py >= y && py <= y + height);
    if (within.length) this.#cells.toggleCells(within.map((each) => each.cell));
  }
}

const scaled = (share, length) => MARGIN + ((share + 1) / 2) * (length - 2 * MARGIN);
