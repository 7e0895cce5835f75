// Canvases side by side with the window that writes, and the chart of the KL.

import { h, sharp } from "../../kit/dom.js";
import { picture } from "../../kit/pixels.js";

const GAZE = "#ff8a3d";

export class Tiles {
  constructor(root, onChoose) {
    Object.assign(this, { root, onChoose, drawings: [], made: [], t: 0 });
    new ResizeObserver(() => this.show(this.t)).observe(root);
  }

  set(drawings, chosen = 0) {
    this.drawings = drawings;
    const count = Math.max(1, drawings.length);
    const columns = { wide: count, middle: count > 8 ? 5 : count > 5 ? Math.ceil(count / 2) : count, narrow: count > 6 ? 3 : Math.min(2, count) };
    for (const [width, columnCount] of Object.entries(columns)) this.root.style.setProperty(`--${width}`, columnCount);
    while (this.made.length > drawings.length) this.made.pop().remove();
    drawings.forEach(({ name }, k) => {
      if (!this.made[k]) {
        this.made[k] = h("button", { type: "button", class: "tile", onclick: () => this.onChoose(k) }, h("canvas"), h("span"));
        this.root.append(this.made[k]);
      }
      this.made[k].lastChild.textContent = name;
      this.made[k].lastChild.hidden = !name;
      this.made[k].setAttribute("aria-label", `Drawing ${k + 1}${name ? `: ${name}` : ""}`);
    });
    this.choose(chosen);
  }

  choose(k) {
    this.made.forEach((tile, index) => tile.setAttribute("aria-pressed", index === k));
  }

  show(t) {
    this.t = t;
    this.drawings.forEach((drawing, k) => this.#one(this.made[k].firstChild, drawing, t));
  }

  #one(canvas, { frames, windows, given }, t) {
    const at = Math.min(t, frames.length - 1);
    if (at < 0) return;
    const { context, width, height } = sharp(canvas);
    context.imageSmoothingEnabled = true;
    context.imageSmoothingQuality = "high";
    context.drawImage(picture(frames[at], 28, 28, given), 0, 0, width, height);
    if (at === frames.length - 1) return; // finished: nothing over the drawing
    const [x, y, halfWidth, halfHeight] = windows[at];
    context.strokeStyle = GAZE;
    context.lineWidth = 2;
    context.strokeRect(((x - halfWidth + 1) / 2) * width, ((y - halfHeight + 1) / 2) * height, halfWidth * width, halfHeight * height);
  }
}

export class Chart {
  constructor(root) {
    this.root = root;
  }

  set(kl) {
    const most = Math.max(0.5, ...kl);
    this.root.replaceChildren(
      ...kl.map((nats) => h("span", { title: `${nats.toFixed(2)} nats` })),
      ...(kl.length ? [h("span", { class: "axis" }, `${most.toFixed(1)} nats`)] : []),
    );
    kl.forEach((nats, t) => { this.root.children[t].style.height = `${(100 * nats) / most}%`; });
    this.count = kl.length;
    this.root.setAttribute("aria-label", kl.length ? `KL of every step, nats: ${kl.map((nats) => nats.toFixed(1)).join(", ")}` : "KL of every step, nats");
    this.mark(this.at ?? 0);
  }

  mark(t) {
    this.at = t;
    for (let k = 0; k < (this.count ?? 0); k += 1) this.root.children[k].classList.toggle("now", k === t);
  }
}
