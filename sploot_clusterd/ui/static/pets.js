// Where a pet is shown; and which were opened lately, in this tab alone: ids of pets are nobody else's business.

const KEY = "clusterd-recent";
const MOST = 8;

export const toPet = (petId, ...more) => `#/pet/${[petId, ...more].map(encodeURIComponent).join("/")}`;

export function recent() {
  try {
    return JSON.parse(sessionStorage.getItem(KEY) ?? "[]");
  } catch {
    return [];
  }
}

export function remember(petId) {
  keep([petId, ...recent().filter((each) => each !== petId)].slice(0, MOST));
}

export function forget(petId) {
  keep(recent().filter((each) => each !== petId));
}

function keep(pets) {
  try {
    sessionStorage.setItem(KEY, JSON.stringify(pets));
  } catch {
    // a browser that keeps nothing
  }
}
