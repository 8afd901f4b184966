// A small chart of lines over time: a few dozen lines of our own, in place of a library of megabytes.

import { svg } from "./dom.js";

const WIDTH = 300;
const HEIGHT = 80;

// `lines`: pairs of a point's field and a class; where a field is null, its line has a gap. `marks`: moments and texts.
export function chart(label, points, lines, from, to, marks) {
  const highest = Math.max(...points.flatMap((each) => lines.map(([key]) => each[key] ?? 0)), 0) || 1;
  const x = (at) => ((at - from) / (to - from)) * WIDTH;
  const y = (value) => HEIGHT - 1 - (value / highest) * (HEIGHT - 6);
  const paths = lines.map(([key, kind]) => svg("path", { class: `line ${kind}`, d: path(points, key, x, y) }));
  const starts = marks.map(([at, text]) =>
    svg("line", { class: "mark", x1: x(at), x2: x(at), y1: 0, y2: HEIGHT }, svg("title", {}, text)),
  );
  const ground = svg("line", { class: "ground", x1: 0, x2: WIDTH, y1: HEIGHT - 0.5, y2: HEIGHT - 0.5 });
  return svg("svg", { class: "chart", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img", "aria-label": label }, ground, starts, paths);
}

function path(points, key, x, y) {
  let pen = "M";
  let drawn = "";
  for (const each of points) {
    if (each[key] === null) {
      pen = "M";
      continue;
    }
    drawn += `${pen}${x(each.at).toFixed(1)} ${y(each[key]).toFixed(1)}`;
    pen = "L";
  }
  return drawn;
}
