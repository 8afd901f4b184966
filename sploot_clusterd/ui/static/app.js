// The page's frame: who is logged in, and which screen an address shows.

import { BASE, session } from "./api.js";
import { button, el, toast } from "./dom.js";
import { photosFrom } from "./photos.js";
import { T } from "./texts.js";
import { showCluster } from "./cluster.js";
import { showFind } from "./find.js";
import { showLetter } from "./letter.js";
import { showLetters } from "./letters.js";
import { runbooksAt, showFleet } from "./fleet.js";
import { showLogin } from "./login.js";
import { showPet } from "./pet.js";
import { showQuality } from "./quality.js";
import { showQuestions } from "./questions.js";

const SCREENS = [
  [/^#\/pet\/([^/]+)\/questions$/, showQuestions],
  [/^#\/pet\/([^/]+)\/([^/]+)$/, showCluster],
  [/^#\/pet\/([^/]+)$/, showPet],
  [/^#\/fleet$/, showFleet, "operate"],
  [/^#\/quality$/, showQuality],
  [/^#\/letters\/([^/]+)$/, showLetter, "operate"],
  [/^#\/letters$/, showLetters, "operate"],
  [/^(?:#\/?)?$/, showFind],
];

const main = document.getElementById("main");
const top = document.getElementById("top");
let who = { scopes: [] };
let leaving = new AbortController();
const others = new BroadcastChannel(`clusterd-session ${BASE}`); // the browser's other tabs, which have the same session

async function show() {
  leaving.abort();
  leaving = new AbortController();
  if (!who.scopes.length) {
    showFrame();
    return showLogin(main, entered);
  }
  const found = SCREENS.map(([pattern, ...more]) => [pattern.exec(location.hash), ...more]).find(([match]) => match);
  showFrame();
  main.replaceChildren(el("p", { class: "quiet" }, T.loading));
  if (!found) return main.replaceChildren(el("p", {}, T.notFound));
  const [match, screen, scope = "read"] = found;
  if (!who.scopes.includes(scope)) return main.replaceChildren(el("p", {}, T.missingScope(scope)));
  const context = { may: (scope) => who.scopes.includes(scope), login: who.name, signal: leaving.signal, again: show };
  const { signal } = leaving;
  try {
    await screen(main, context, ...match.slice(1).map(decodeURIComponent));
  } catch (error) {
    if (signal.aborted || error.name === "AbortError") return;
    main.replaceChildren(el("p", { class: "bad", role: "alert" }, error.status === 0 ? T.unreachable : T.failed(error.message)));
  }
}

function showFrame() {
  const name = el("a", { href: "#/", class: "name" }, T.name);
  if (!who.scopes.length) return top.replaceChildren(name);
  const about = el("span", { class: "quiet scopes" }, T.login.as(who.scopes));
  const out = who.by_proxy ? null : button(T.login.out, leave);
  const link = (href, text) => el("a", { href, "aria-current": (location.hash || "#/") === href ? "page" : null }, text);
  const operators = [link("#/fleet", T.fleet.title), link("#/letters", T.letters.title)];
  const links = el("nav", { "aria-label": T.name }, link("#/", T.find.title), link("#/quality", T.quality.title), who.scopes.includes("operate") ? operators : null);
  top.replaceChildren(name, links, about, ...(out ? [out] : []));
}

async function enter() {
  who = await session.read().catch(() => who);
  photosFrom(who.image_url ?? null);
  runbooksAt(who.runbooks ?? null);
}

async function entered() {
  await enter();
  await show();
}

async function leave() {
  who = await session.close();
  others.postMessage("closed");
  await show();
}

others.onmessage = () => who.scopes.length && document.dispatchEvent(new Event("session-ended"));
document.addEventListener("session-ended", async () => {
  await enter();
  if (who.scopes.length) return;
  toast(T.login.ended);
  await show();
});
document.getElementById("skip").addEventListener("click", (event) => {
  event.preventDefault(); // the address's hash says which screen is shown
  main.focus();
});
window.addEventListener("hashchange", async () => {
  await show();
  window.scrollTo(0, 0);
  main.focus({ preventScroll: true });
});
await entered();
