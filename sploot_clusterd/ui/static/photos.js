// A photo, or a tile in its place where there is none to be had.

import { el, svg } from "./dom.js";

let template = null;

export function photosFrom(url) {
  template = url;
}

// `spoken` is what a screen reader says; `size` is the longer side in pixels.
export function photo(imageId, spoken, size = 256) {
  if (!template) return tile(imageId, spoken);
  const put = { image_id: imageId, size };
  const source = template.replace(/\{(image_id|size)\}/g, (_, name) => encodeURIComponent(put[name]));
  const image = el("img", { src: source, alt: spoken, loading: "lazy", decoding: "async", class: "photo" });
  image.addEventListener("error", () => image.replaceWith(tile(imageId, spoken)), { once: true });
  return image;
}

// Drawn of the id alone: the same photo has the same tile everywhere.
function tile(imageId, spoken) {
  const hash = digest(imageId);
  const hue = hash % 360;
  const shape = (n) => {
    const bits = (hash >>> (n * 5)) & 31;
    return svg("circle", { cx: 12 + bits * 2.4, cy: 18 + ((bits * 7) % 32) * 1.7, r: 9 + (bits % 5) * 4, fill: `hsl(${hue + 40 * n} 55% ${42 + n * 9}%)` });
  };
  const said = spoken ? { role: "img", "aria-label": spoken } : { "aria-hidden": "true" };
  const name = imageId.length > 14 ? `…${imageId.slice(-13)}` : imageId;
  return svg(
    "svg",
    { class: "photo tile", viewBox: "0 0 100 100", preserveAspectRatio: "xMidYMid slice", ...said },
    svg("rect", { width: 100, height: 100, fill: `hsl(${hue} 45% 30%)` }),
    [0, 1, 2].map(shape),
    svg("rect", { y: 84, width: 100, height: 16, fill: "hsl(0 0% 0% / 60%)" }),
    svg("text", { x: 50, y: 95, "text-anchor": "middle", "font-size": 9, fill: "white" }, name),
  );
}

function digest(text) {
  let hash = 2166136261;
  for (let n = 0; n < text.length; n++) hash = Math.imul(hash ^ text.charCodeAt(n), 16777619);
  return (hash ^ (hash >>> 15)) >>> 0;
}
