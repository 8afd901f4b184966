// What the fleet does, by one stream a browser: of the tabs that show it one holds the stream, and tells the others.

import { BASE } from "./api.js";

export const SPANS = { "15m": 15 * 60, "1h": 3600, "8h": 8 * 3600 };
const LONGEST_S = Math.max(...Object.values(SPANS));
const AGAIN_MS = 3000;

// While this tab is in sight `told` gets all that is known each time there is more, `silent` whether nothing comes. Tabs
// of the same `login` share the stream; one that is closed or out of sight leaves it to another.
export function follow(login, signal, told, silent) {
  const name = `clusterd-fleet ${BASE} ${login}`;
  const channel = new BroadcastChannel(name);
  let known = null; // nothing, before a piece that is whole has come
  let seeing = null; // ends when this tab is out of sight
  const hear = (piece) => {
    silent(!piece);
    if (!piece) return document.dispatchEvent(new Event("session-ended")); // which may be why
    known = piece.whole ? piece : known && joined(known, piece);
    if (known) told(known);
  };
  const tell = (piece) => (channel.postMessage({ piece }), hear(piece));
  const look = () => {
    seeing?.abort();
    seeing = null;
    if (document.hidden) return;
    known = null;
    seeing = new AbortController();
    inTurn(name, seeing.signal, (ended) => hold(channel, ended, tell, () => known));
    channel.postMessage({ ask: true }); // whoever holds the stream
  };
  channel.onmessage = ({ data }) => seeing && "piece" in data && hear(data.piece);
  document.addEventListener("visibilitychange", look, { signal });
  signal.addEventListener("abort", () => (seeing?.abort(), channel.close()));
  look();
}

// Runs `lead` until `ended`, while no other tab does. Browsers have locks on localhost and by TLS; elsewhere each tab
// has to have a stream of its own.
async function inTurn(name, ended, lead) {
  if (!navigator.locks) return lead(ended);
  try {
    await navigator.locks.request(name, { signal: ended }, () => lead(ended));
  } catch (error) {
    if (error.name !== "AbortError") throw error;
  }
}

// Holds the stream until `ended`, and answers tabs that ask for what is `known`.
function hold(channel, ended, tell, known) {
  let stream;
  const open = () => {
    if (ended.aborted) return;
    stream = new EventSource(new URL("internal/fleet", BASE));
    stream.onmessage = (event) => tell(JSON.parse(event.data));
    stream.onerror = () => {
      tell(null);
      if (stream.readyState === EventSource.CLOSED) setTimeout(open, AGAIN_MS); // the others the browser tries itself
    };
  };
  const answer = ({ data }) => data.ask && known() && channel.postMessage({ piece: known() });
  channel.addEventListener("message", answer);
  open();
  return new Promise((resolve) => {
    const close = () => {
      stream?.close();
      channel.removeEventListener("message", answer);
      resolve();
    };
    if (ended.aborted) close();
    else ended.addEventListener("abort", close);
  });
}

// All that is known, with what a piece adds, and without what is too old for every span.
function joined(known, piece) {
  const lately = (some, seconds) => some.filter((each) => each.at > piece.at - seconds);
  const points = Object.entries(SPANS).map(([span, seconds]) => [span, lately([...known.points[span], ...piece.points[span]], seconds)]);
  return { ...piece, whole: true, points: Object.fromEntries(points), marks: lately([...known.marks, ...piece.marks], LONGEST_S) };
}
