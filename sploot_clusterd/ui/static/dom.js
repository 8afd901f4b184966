// Elements, made of parts: no text is ever read as HTML.

import { T } from "./texts.js";

const SVG = "http://www.w3.org/2000/svg";

// `properties`: `on` is a map of listeners, `class` and `aria-...` and the like are attributes; false and null are left out.
export function el(name, properties = {}, ...children) {
  return fill(document.createElement(name), properties, children);
}

export function svg(name, properties = {}, ...children) {
  return fill(document.createElementNS(SVG, name), properties, children);
}

function fill(element, properties, children) {
  for (const [key, value] of Object.entries(properties)) {
    if (value === false || value === null || value === undefined) continue;
    if (key === "on") for (const [type, listener] of Object.entries(value)) element.addEventListener(type, listener);
    else if (key === "value" || key === "checked" || key === "disabled") element[key] = value;
    else element.setAttribute(key, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

export function button(label, click, properties = {}) {
  return el("button", { type: "button", ...properties, on: { click } }, label);
}

// Runs `work` with the button out of use meanwhile.
export async function busy(control, work) {
  control.disabled = true;
  try {
    return await work();
  } finally {
    control.disabled = false;
  }
}

// A word on what was done, said to screen readers as well. Of several the latest stay, for a while.
export function toast(text, ...actions) {
  const shown = el("div", { class: "toast" }, el("span", {}, text), ...actions);
  const box = document.getElementById("toasts");
  box.append(shown);
  while (box.children.length > 3) box.firstChild.remove();
  setTimeout(() => shown.remove(), 12000);
  return shown;
}

// Asks in a dialog; resolves to what `read` gives when the person goes on, to null when they do not. Without `cancel`,
// the word for that, it only tells.
export function dialog(title, content, go, read = () => true, { cancel = T.cancel, kind = "primary" } = {}) {
  return new Promise((resolve) => {
    const accept = el("button", { class: kind, type: "submit" }, go);
    const back = cancel && button(cancel, () => shown.close());
    const form = el("form", { method: "dialog" }, el("h2", { id: "asked" }, title), ...content, el("div", { class: "row end" }, ...(back ? [back] : []), accept));
    const shown = el("dialog", { "aria-labelledby": "asked" }, form);
    let result = null;
    form.addEventListener("submit", () => (result = read(form)));
    shown.addEventListener("close", () => {
      shown.remove();
      resolve(result);
    });
    document.body.append(shown);
    shown.showModal();
  });
}
