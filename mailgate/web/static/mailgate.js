// Comfort only: single keys and a spoken count. Every page works without it.
const find = (selector) => document.querySelector(selector);
const items = () => [...document.querySelectorAll(".row .what a, .trace th a")].filter((link) => link.checkVisibility());
const row = () => document.activeElement.closest(".row");

function move(step, page) {
  const links = items();
  if (!links.length) return find(page)?.click();
  const at = links.findIndex((link) => link.closest("li, tr").contains(document.activeElement));
  links[Math.max(0, Math.min(links.length - 1, at + step))].focus();
}

const keys = {
  j: () => move(1, "[rel=next]"),
  k: () => move(-1, "[rel=prev]"),
  x: () => row()?.querySelector("[type=checkbox]").click(),
  r: () => (row() ?? find("aside"))?.querySelector("[name=release], [name=ask], [value=release]")?.click(),
  d: () => (row() ?? find("aside"))?.querySelector("[name=delete], [value=delete]")?.click(),
  u: () => find("[rel=up]")?.click(),
  "/": () => find("[type=search]")?.focus(),
};

document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") {
    const menu = document.activeElement.closest(".menu[open]");
    if (menu) { menu.open = false; menu.firstElementChild.focus(); }
  }
  if (document.documentElement.dataset.keys === "off") return;
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.matches("input:not([type=checkbox]), select, textarea")) return;
  const act = keys[event.key];
  if (act) { event.preventDefault(); act(); }
});

const held = find(".held");
if (held) {
  const says = document.createElement("p");
  says.className = "vh";
  says.role = "status";
  held.before(says);
  held.addEventListener("change", () => { says.textContent = `${held.querySelectorAll(":checked").length} selected`; });
  const all = held.querySelector(".all");
  all.hidden = false;
  all.addEventListener("click", () => {
    const boxes = [...held.querySelectorAll("[name=id]")];
    const on = boxes.some((box) => !box.checked);
    for (const box of boxes) box.checked = on;
    held.dispatchEvent(new Event("change"));
  });
}
