// What the page asks of the daemon: relative to where it was served, whatever path a proxy shows it under.

export const BASE = new URL("../", import.meta.url);
const PAGE = { "X-Clusterd-Page": "1" };
const tags = new WeakMap(); // what was read -> the ETag that it came with

export class Refused extends Error {
  constructor(status, detail) {
    super(detail);
    this.status = status;
  }
}

// JSON of an answer; null where it is still what `known` was read as. Throws Refused; where the session has ended the page is told as well.
export async function ask(path, { method = "GET", body, headers = {}, known, signal } = {}) {
  const sent = { method, signal, cache: "no-store", headers: { ...PAGE, ...headers } };
  if (body !== undefined) {
    sent.body = JSON.stringify(body);
    sent.headers["Content-Type"] = "application/json";
  }
  if (tags.has(known)) sent.headers["If-None-Match"] = tags.get(known);
  const broken = (error) => {
    throw error.name === "AbortError" ? error : new Refused(0, error.message);
  };
  const answer = await fetch(new URL(path, BASE), sent).catch(broken);
  if (answer.status === 304) return null;
  const read = await answer.json().catch(answer.ok ? broken : () => ({}));
  if (answer.ok && answer.headers.has("ETag")) tags.set(read, answer.headers.get("ETag"));
  if (answer.ok) return read;
  if (answer.status === 401 && path !== "session") document.dispatchEvent(new Event("session-ended"));
  throw new Refused(answer.status, read.detail ?? answer.statusText);
}

export const session = {
  read: () => ask("session"),
  open: (token) => ask("session", { method: "POST", headers: { "X-Internal-Token": token } }),
  close: () => ask("session", { method: "DELETE" }),
};

const id = encodeURIComponent;
const pet = (petId) => `internal/pets/${id(petId)}`;

export const view = (petId, signal, known) => ask(`${pet(petId)}/clusters`, { signal, known });
export const jobs = (petId, signal) => ask(`${pet(petId)}/jobs?limit=20`, { signal });
export const job = (petId, jobId) => ask(`${pet(petId)}/jobs/${id(jobId)}`);
export const suggestions = (petId, limit, signal) => ask(`${pet(petId)}/suggestions?limit=${limit}`, { signal });
export const said = (petId, signal) => ask(`${pet(petId)}/corrections`, { signal });
export const hidden = (petId, signal) => ask(`${pet(petId)}/hidden`, { signal });
export const maps = (petId, signal) => ask(`${pet(petId)}/map`, { signal });
export const why = (petId, imageId, signal) => ask(`${pet(petId)}/images/${id(imageId)}/why`, { signal });
export const quality = (signal) => ask("internal/quality", { signal });
export const find = (name, after, signal) => ask(`internal/find?q=${id(name)}&after=${id(after)}`, { signal });

export const pause = (reason, until) => ask("internal/pause", { method: "POST", body: { reason, until } });
export const resume = () => ask("internal/resume", { method: "POST" });
export const correct = (petId, body) => ask(`${pet(petId)}/corrections`, { method: "POST", body });
export const erase = (petId) => ask(pet(petId), { method: "DELETE" });

// All images of a cluster in one of the orders, a page at a time.
export async function* members(petId, clusterId, order, limit, signal) {
  let after = "";
  while (after !== null) {
    const page = await ask(
      `${pet(petId)}/clusters/${id(clusterId)}/images?order=${order}&limit=${limit}&after=${id(after)}`,
      { signal },
    );
    yield page;
    after = page.next;
  }
}

const query = (filter, more) => new URLSearchParams({ ...filter, ...more });
const post = (path, body) => ask(`internal/dead-letters/${path}`, { method: "POST", body });

export const letters = (filter, after, limit, signal) => ask(`internal/dead-letters?${query(filter, { after, limit })}`, { signal });
export const letterCounts = (filter, after, signal) => ask(`internal/dead-letters/counts?${query(filter, { after })}`, { signal });
export const letter = (letterId, signal) => ask(`internal/dead-letters/${id(letterId)}`, { signal });
export const replayLetter = (letterId, body) => post(`${id(letterId)}/replay`, body);
export const dropLetter = (letterId) => ask(`internal/dead-letters/${id(letterId)}`, { method: "DELETE" });
export const replayLetters = (body) => post("replay", body);
export const dropLetters = (body) => post("drop", body);
