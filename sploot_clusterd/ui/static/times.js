// Times as people here read them, with the zone; to copy, in UTC.

const LOCAL = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "long" });
const DAY = new Intl.DateTimeFormat(undefined, { dateStyle: "medium" });

export const local = (text) => LOCAL.format(new Date(text));
export const day = (text) => DAY.format(new Date(text));

// An element whose text is local, and whose copy is UTC.
export function time(text, make) {
  const shown = make("time", { datetime: text, title: text }, local(text));
  shown.addEventListener("copy", (event) => {
    event.clipboardData.setData("text/plain", text);
    event.preventDefault();
  });
  return shown;
}
