// One dead letter: a line that opens as its payload with the fault marked; put back as it is or put right, or dropped.

import { dropLetter, letter, replayLetter } from "./api.js";
import { busy, button, dialog, el, toast } from "./dom.js";
import { toPet } from "./pets.js";
import { T } from "./texts.js";
import { time } from "./times.js";

const ID = /^[A-Za-z0-9._:-]{1,128}$/;
const SHOWN = 20_000; // characters of a payload, around its fault
const EDITED = 256 * 1024; // characters of one that a box can hold without a browser that stands still

export const toLetter = (id) => `#/letters/${encodeURIComponent(id)}`;

export async function showLetter(main, context, id) {
  document.title = `${T.letters.one(id)} · ${T.name}`;
  const back = el("p", {}, el("a", { href: "#/letters" }, T.letters.all));
  const gone = () => main.replaceChildren(back, el("h1", {}, T.letters.one(id)), el("p", {}, T.letters.gone));
  try {
    const whole = await letter(id, context.signal);
    const content = el("div", { class: "card letter" });
    main.replaceChildren(back, el("h1", {}, T.letters.one(id)), el("p", {}, ...about(whole.letter)), content);
    fill(content, whole, context, gone);
  } catch (error) {
    if (error.status !== 404) throw error;
    gone();
  }
}

// A line of a list. `again` shows the list anew, where what it counts has changed.
export function letterLine(each, context, again) {
  const content = el("div", { class: "letter" });
  const opened = el("details", {}, el("summary", {}, ...about(each)), content);
  opened.addEventListener("toggle", async () => {
    if (!opened.open || content.children.length) return;
    try {
      fill(content, await letter(each.id, context.signal), context, again);
    } catch (error) {
      if (error.name !== "AbortError") content.replaceChildren(el("p", { class: "bad", role: "alert" }, error.status === 404 ? T.letters.gone : T.failed(error.message)));
    }
  });
  return el("li", { "data-letter": each.id }, opened);
}

function about(each) {
  const quiet = (text) => (text ? [" ", el("bdi", { class: "quiet" }, text)] : []);
  return [
    el("span", { class: "tag dead" }, each.reason || T.letters.noReason),
    " ",
    el("bdi", {}, each.pet_id || T.letters.noPet),
    ...quiet(each.other_pet_id && T.letters.otherPet(each.other_pet_id)),
    ...quiet(each.job_id && T.letters.job(each.job_id)),
    " ",
    el("span", { class: "quiet" }, time(each.at, el)),
    el("bdi", { class: "error" }, each.error),
  ];
}

function fill(content, whole, context, again) {
  const each = whole.letter;
  const links = [each.pet_id, each.other_pet_id].filter((pet) => ID.test(pet)).map((pet) => el("a", { class: "button", href: toPet(pet) }, T.find.openAnyway(pet)));
  const act = (work, done) => async (event) => {
    const outcome = await busy(event.currentTarget, () => attempt(work));
    if (outcome === true) toast(done);
    if (outcome !== null) await again();
  };
  const edit = () => content.replaceChildren(editor(whole, context, again, () => fill(content, whole, context, again)));
  const facts = [T.letters.id(each.id), T.letters.place(whole.first_id), each.attempts !== null && T.letters.attempts(each.attempts)];
  const mayEdit = context.may("submit") && whole.payload.length <= EDITED;
  content.replaceChildren(
    el("p", { class: "quiet" }, facts.filter(Boolean).join(" · ")),
    el("p", {}, T.letters.advice(each.reason)),
    ...payload(whole),
    el(
      "div",
      { class: "row" },
      each.payload_bytes ? button(T.letters.replay, act(() => replayLetter(each.id, {}), T.letters.replayed)) : null,
      mayEdit ? button(T.letters.edit, edit) : null,
      button(T.letters.drop, act(() => sureToDrop(each), T.letters.dropped), { class: "danger" }),
      ...links,
    ),
    whole.payload.length > EDITED ? el("p", { class: "quiet" }, T.letters.tooLong) : "",
  );
  content.querySelector("mark")?.scrollIntoView({ block: "nearest" });
}

// True where it was done, false where the letter is gone, null where it failed, which is said, or was not wanted.
async function attempt(work) {
  try {
    return (await work()) === null ? null : true;
  } catch (error) {
    toast(error.status === 404 ? T.letters.gone : T.failed(error.message));
    return error.status === 404 ? false : null;
  }
}

async function sureToDrop(each) {
  const sure = await dialog(T.letters.dropTitle(1), [el("p", {}, T.letters.id(each.id)), el("p", {}, T.letters.dropAbout)], T.letters.dropGo(1), () => true, { kind: "danger" });
  return sure ? dropLetter(each.id) : null;
}

// The payload as text, a part of it where it is long, with the fault marked.
function payload({ letter: each, payload: text, fault }) {
  if (!each.payload_bytes) return [el("p", { class: "bad" }, T.letters.lost)];
  const [start, end] = fault ? [utf16(text, fault.start), utf16(text, fault.end)] : [0, 0];
  const from = Math.max(0, Math.min(start - SHOWN / 2, text.length - SHOWN));
  const to = from + SHOWN;
  const marked = fault ? [el("mark", {}, text.slice(start, end) || T.letters.end)] : [];
  const shown = el(
    "pre",
    { class: "payload", tabindex: "0", role: "region", "aria-label": T.letters.payload(each.payload_bytes), dir: "ltr" },
    from > 0 ? "… " : "",
    text.slice(from, start),
    marked,
    text.slice(end, to),
    to < text.length ? " …" : "",
  );
  return [el("p", {}, fault ? T.letters.fault(fault.path) : T.letters.noFault), shown];
}

// Characters as the daemon counts them, by code points, as those of JavaScript.
const utf16 = (text, n) => (/[\ud800-\udfff]/.test(text) ? Array.from(text).slice(0, n).join("").length : n);

function editor(whole, context, again, close) {
  const { letter: each, payload: text, fault } = whole;
  const box = el("textarea", { id: `edit-${each.id}`, class: "payload", spellcheck: "false", dir: "ltr", rows: 12, "aria-describedby": `why-${each.id}` });
  box.value = text;
  const why = el("p", { id: `why-${each.id}`, role: "status" }, T.letters.editAbout);
  const tell = (words, bad) => {
    why.className = bad ? "bad" : "";
    why.textContent = words;
    box.setAttribute("aria-invalid", bad ? "true" : "false");
  };
  const send = (body, done) => async (event) => {
    try {
      await busy(event.currentTarget, () => replayLetter(each.id, { payload: box.value, ...body }));
      done();
    } catch (error) {
      if (error.status === 404) return toast(T.letters.gone), again();
      tell(error.status === 0 ? T.unreachable : error.message, true);
      box.focus();
    }
  };
  const replayed = () => {
    toast(T.letters.replayed, ...(ID.test(each.pet_id) ? [" ", el("a", { href: toPet(each.pet_id) }, T.find.openAnyway(each.pet_id))] : []));
    return again();
  };
  setTimeout(() => {
    box.focus();
    if (fault) box.setSelectionRange(utf16(text, fault.start), utf16(text, fault.end));
  });
  return el(
    "div",
    {},
    el("label", { for: box.id }, T.letters.payload(each.payload_bytes)),
    box,
    why,
    el(
      "div",
      { class: "row" },
      button(T.letters.check, send({ dry_run: true }, () => tell(T.letters.checked, false))),
      button(T.letters.replayEdited, send({}, replayed), { class: "primary" }),
      button(T.cancel, close),
    ),
  );
}
