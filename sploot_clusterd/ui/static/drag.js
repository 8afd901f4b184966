// Dragging as an extra: what it does is done by clicks, too.

let held = null; // what is being dragged, as `give` gave it

// `give` tells what is dragged when it begins; null where nothing is.
export function draggable(element, give, began = () => {}, ended = () => {}) {
  element.draggable = true;
  element.addEventListener("dragstart", (event) => {
    held = give();
    if (held === null) return event.preventDefault();
    event.dataTransfer.effectAllowed = "move";
    event.dataTransfer.setData("text/plain", element.dataset.name ?? "");
    began();
  });
  element.addEventListener("dragend", () => {
    held = null;
    ended();
  });
}

// `takes` says whether what is dragged may be put here; `dropped` gets it.
export function target(element, takes, dropped) {
  const over = (event) => {
    if (held === null || !takes(held)) return;
    event.preventDefault();
    element.classList.add("over");
  };
  element.addEventListener("dragenter", over);
  element.addEventListener("dragover", over);
  element.addEventListener("dragleave", (event) => element.contains(event.relatedTarget) || element.classList.remove("over"));
  element.addEventListener("drop", (event) => {
    element.classList.remove("over");
    if (held === null || !takes(held)) return;
    event.preventDefault();
    dropped(held);
  });
}
