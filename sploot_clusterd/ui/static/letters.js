// The dead letters that a filter means: how many, by reason; put back or dropped all together, after a look at how many.

import { dropLetters, letterCounts, letters, replayLetters } from "./api.js";
import { busy, button, dialog, el, toast } from "./dom.js";
import { letterLine } from "./letter.js";
import { T } from "./texts.js";

const REASONS = Object.keys(T.letters.reasons);
const A_PAGE = 100;
const A_BATCH = 200;
let chosen = { reason: "", pet: "", when: "" }; // kept while the page is open, over other screens

export async function showLetters(main, context) {
  document.title = `${T.letters.title} · ${T.name}`;
  const option = (value, label, now) => el("option", { value, selected: value === now }, label);
  const reason = el("select", { id: "reason" }, option("", T.letters.anyReason, chosen.reason), REASONS.map((each) => option(each, each, chosen.reason)));
  const when = el("select", { id: "when" }, Object.entries(T.letters.whens).map(([value, label]) => option(value, label, chosen.when)));
  const pet = el("input", { id: "pet", type: "search", maxlength: 128, autocomplete: "off", spellcheck: "false", value: chosen.pet });
  const go = el("button", { class: "primary", type: "submit" }, T.letters.show);
  const form = el("form", { class: "row", role: "search" }, named(T.letters.reason, reason), named(T.letters.when, when), named(T.letters.pet, pet), go);
  const shown = el("div", {});
  main.replaceChildren(el("h1", {}, T.letters.title), el("p", { class: "quiet" }, T.letters.about), form, shown);
  const show = () => busy(go, () => showMeant(shown, context, filterOf(chosen), choose));
  const choose = (name) => {
    chosen = { ...chosen, reason: name };
    reason.value = name;
    return show();
  };
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    chosen = { reason: reason.value, pet: pet.value.trim(), when: when.value };
    show();
  });
  await show();
}

const named = (label, control) => el("span", { class: "field" }, el("label", { for: control.id }, label), control);

// What is asked of the daemon: `when` is "since" or "until", and how long ago in hours.
function filterOf({ reason, pet, when }) {
  const [bound, hours] = when.split(" ");
  const time = when && { [bound]: new Date(Date.now() - hours * 3_600_000).toISOString() };
  return { ...(reason && { reason }), ...(pet && { pet }), ...time };
}

async function showMeant(shown, context, filter, choose) {
  const status = el("p", { role: "status" }, T.letters.counting(0));
  const list = el("ul", { class: "found letters" });
  const reasons = el("div", { class: "row" });
  const actions = el("div", { class: "row" });
  shown.replaceChildren(status, reasons, actions, list);
  const again = () => showMeant(shown, context, filter, choose);
  try {
    const counted = await count(filter, context.signal, (n) => (status.textContent = T.letters.counting(n)));
    status.textContent = T.letters.meant(counted.letters);
    if (!counted.letters) return;
    if (!filter.reason) reasons.append(...byCount(counted).map(([name, n]) => button(T.letters.ofReason(name || T.letters.noReason, n), () => choose(name), { disabled: !REASONS.includes(name) })));
    const meant = { ...filter, until: filter.until ?? counted.newest };
    const act = (work) => (event) => busy(event.currentTarget, () => work(meant, counted, context.signal).then((done) => done && again()));
    actions.append(
      button(T.letters.replayAll(counted.letters), act(replayAll), { disabled: counted.empty === counted.letters }),
      button(T.letters.dropAll(counted.letters), act(dropAll), { class: "danger" }),
    );
    await more(list, context, filter, "", again);
  } catch (error) {
    if (error.name !== "AbortError") status.replaceChildren(el("span", { class: "bad", role: "alert" }, T.failed(error.message)));
  }
}

const byCount = ({ reasons }) => Object.entries(reasons).sort(([, a], [, b]) => b - a);

async function count(filter, signal, told) {
  const all = { letters: 0, empty: 0, reasons: {}, newest: null };
  for (let after = ""; after !== null; ) {
    const part = await letterCounts(filter, after, signal);
    all.letters += part.letters;
    all.empty += part.empty;
    for (const [name, n] of Object.entries(part.reasons)) all.reasons[name] = (all.reasons[name] ?? 0) + n;
    if (part.newest > (all.newest ?? "")) all.newest = part.newest;
    told(all.letters);
    after = part.next;
  }
  return all;
}

// A page of letters below those that are there, and the way to the next one. A part of all may hold none that is meant.
async function more(list, context, filter, after, again) {
  let left = A_PAGE;
  while (after !== null && left > 0) {
    const page = await letters(filter, after, left, context.signal);
    list.append(...page.letters.map((each) => letterLine(each, context, again)));
    left -= page.letters.length;
    after = page.next;
  }
  if (after === null) return;
  const next = button(T.letters.more, () => busy(next, async () => {
    const last = next.closest("li");
    await more(list, context, filter, after, again);
    last.nextElementSibling?.querySelector("summary")?.focus();
    last.remove();
  }));
  list.append(el("li", {}, next));
}

const replayAll = (filter, counted, signal) =>
  all(filter, signal, counted.letters, {
    work: replayLetters,
    title: T.letters.replayTitle(counted.letters - counted.empty),
    content: [...told(counted), counted.empty ? el("p", { class: "bad" }, T.letters.empty(counted.empty)) : null, el("p", {}, T.letters.replayAbout)],
    go: T.letters.replayGo(counted.letters - counted.empty),
    done: T.letters.replayedMany,
  });

const dropAll = (filter, counted, signal) =>
  all(filter, signal, counted.letters, {
    work: dropLetters,
    title: T.letters.dropTitle(counted.letters),
    content: [...told(counted), el("p", {}, T.letters.dropAbout)],
    go: T.letters.dropGo(counted.letters),
    done: T.letters.droppedMany,
    kind: "danger",
  });

const told = (counted) => [el("p", {}, T.letters.dryRun), el("ul", { class: "plain" }, byCount(counted).map(([name, n]) => el("li", {}, T.letters.ofReason(name || T.letters.noReason, n))))];

// Asks, then works in batches until none is left or somebody stops it. Whether anything may have changed.
async function all(filter, signal, total, { work, title, content, go, done, kind = "primary" }) {
  const sure = await dialog(title, content.filter(Boolean), go, () => true, { kind });
  if (!sure) return false;
  const meter = el("progress", { max: total, value: 0, "aria-label": title });
  const word = el("p", { role: "status" }, T.letters.progress(0, total));
  const stop = new AbortController();
  const closed = dialog(title, [meter, word], T.letters.stop, () => true, { cancel: null }).then(() => stop.abort());
  const shown = meter.closest("dialog");
  let sum = { letters: 0, refused: {} };
  let full = false;
  try {
    for (let after = ""; after !== null && !full && !stop.signal.aborted && !signal.aborted; ) {
      const part = await work({ ...filter, most: A_BATCH, after });
      sum = { letters: sum.letters + part.letters, refused: added(sum.refused, part.refused) };
      meter.value = sum.letters;
      word.textContent = T.letters.progress(sum.letters, total);
      full = part.status === "full";
      after = part.next;
    }
    toast([done(sum.letters), ...Object.entries(sum.refused).map(([why, n]) => T.letters.refused[why](n)), full && T.letters.full].filter(Boolean).join(" "));
  } catch (error) {
    toast(T.failed(`${error.message} ${done(sum.letters)}`));
  }
  shown?.close();
  await closed;
  return true;
}

function added(sum, part) {
  const result = { ...sum };
  for (const [why, n] of Object.entries(part)) result[why] = (result[why] ?? 0) + n;
  return result;
}
