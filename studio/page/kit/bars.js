// A belief: a bar for every class.

import { h } from "./dom.js";

export class Bars {
  constructor(root, classes) {
    this.rows = classes.map((name) => {
      const bar = h("span", { class: "fill" });
      const later = h("span", { class: "later" });
      const value = h("span", { class: "value" });
      return { bar, later, value, row: h("li", {}, h("span", { class: "name" }, name), h("span", { class: "track" }, bar, later), value) };
    });
    root.append(...this.rows.map(({ row }) => row));
    root.classList.add("bars");
  }

  /** Show probabilities; `last` marks where they end. */
  show(belief, last = null) {
    const best = belief ? belief.indexOf(Math.max(...belief)) : -1;
    this.rows.forEach(({ bar, later, value, row }, k) => {
      bar.style.transform = `scaleX(${belief?.[k] ?? 0})`;
      later.hidden = !last;
      later.style.left = `${100 * (last?.[k] ?? 0)}%`;
      value.textContent = belief ? percent(belief[k]) : "";
      row.classList.toggle("best", k === best);
    });
  }
}

export function percent(part) {
  if (part >= 0.995 && part < 0.9995) return `${(100 * part).toFixed(1)}%`;
  return part >= 0.0005 && part < 0.005 ? "<1%" : `${Math.round(100 * part)}%`;
}
