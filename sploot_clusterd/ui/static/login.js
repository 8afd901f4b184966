// Who has no session shows a token.

import { session } from "./api.js";
import { busy, el } from "./dom.js";
import { T } from "./texts.js";

const LOCAL = ["localhost", "127.0.0.1", "[::1]"];

export function showLogin(main, entered) {
  document.title = T.login.title;
  const token = el("input", { id: "token", type: "password", autocomplete: "current-password", required: true });
  const go = el("button", { class: "primary", type: "submit" }, T.login.go);
  const wrong = el("p", { class: "bad", role: "alert" });
  const form = el("form", { class: "card login" }, el("h1", {}, T.login.title), el("p", { class: "quiet" }, T.login.about));
  if (location.protocol === "http:" && !LOCAL.includes(location.hostname)) form.append(el("p", { class: "bad" }, T.login.plain));
  form.append(el("label", { for: "token" }, T.login.token), token, go, wrong);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    busy(go, async () => {
      try {
        wrong.textContent = "";
        await session.open(token.value);
        await entered();
      } catch (error) {
        wrong.textContent = error.status === 401 ? T.login.wrong : error.status === 0 ? T.unreachable : T.failed(error.message);
        token.select();
      }
    });
  });
  main.replaceChildren(form);
  token.focus();
}
