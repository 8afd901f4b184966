// Tells when a view is not the latest any more. Nothing moves by itself: selection, place and focus stay the person's.

import { view } from "./api.js";

const EVERY_MS = 5000;

export function watch(seen, signal, changed) {
  let known = seen;
  const timer = setInterval(async () => {
    if (document.hidden) return;
    const now = await view(seen.pet_id, signal, known).catch(() => null);
    if (now === null) return; // the same still, or nobody knows
    const isNew = now.version !== known.version;
    known = now;
    if (isNew) changed(now.version);
  }, EVERY_MS);
  signal.addEventListener("abort", () => clearInterval(timer));
}
