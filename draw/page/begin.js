// The pad of a begun digit: its ink at the network's size, and the mask of what is given.

import { h } from "../../kit/dom.js";
import { Pad } from "../../kit/pad.js";

const SIDE = 28;

/** Points on an arc of an ellipse, from one angle to another, in turns. */
const arc = (x, y, width, height, from, to) => Array.from({ length: 24 }, (_, k) => {
  const angle = 2 * Math.PI * (from + ((to - from) * k) / 23);
  return { x: x + width * Math.cos(angle), y: y + height * Math.sin(angle) };
});

const BEGUN = {
  top: [arc(0.5, 0.36, 0.18, 0.16, 0.5, 1.08)],
  bottom: [arc(0.5, 0.66, 0.16, 0.15, -0.16, 0.5)],
  left: [arc(0.52, 0.5, 0.19, 0.32, 0.75, 0.25)],
  right: [arc(0.48, 0.35, 0.18, 0.15, -0.25, 0.25), arc(0.48, 0.65, 0.19, 0.16, -0.25, 0.25)],
};

export class Begin {
  constructor(part, onEnd) {
    Object.assign(this, { part, onEnd });
    this.pad = new Pad(part.pad, { label: "A pad for the beginning of a digit", pen: 0.085, onEnd: () => this.#ended() });
    this.pad.decorate = (context, width, height) => this.#line(context, width, height);
    part.undo.onclick = () => { this.pad.undo(); onEnd(); };
    part.clear.onclick = () => { this.pad.clear(); onEnd(); };
    part.keep.onclick = () => {
      this.pad.raster(280, 0).canvas.toBlob((blob) => {
        const address = URL.createObjectURL(blob);
        h("a", { href: address, download: "half.png" }).click();
        setTimeout(() => URL.revokeObjectURL(address), 1000);
      });
    };
    part.half.onclick = () => {
      this.pad.strokes = structuredClone(BEGUN[part.side.value]);
      this.#ended();
    };
    part.side.oninput = () => { this.pad.draw(); onEnd(); };
    part.line.oninput = () => { this.pad.draw(); onEnd(); };
  }

  ready() {
    this.pad.draw();
    return !this.pad.isEmpty;
  }

  /** After a stroke the line goes to where the ink ends, if it does not lie beyond it anyhow. */
  #ended() {
    const ink = this.#ink();
    const side = this.part.side.value;
    const along = [];
    ink.forEach((level, i) => { if (level > 127) along.push(side === "top" || side === "bottom" ? Math.floor(i / SIDE) : i % SIDE); });
    if (along.length) {
      const first = side === "top" || side === "left";
      const end = first ? Math.max(...along) + 1 : Math.min(...along);
      const now = Number(this.part.line.value);
      if (first ? end > now : end < now) this.part.line.value = Math.min(25, Math.max(3, end));
    }
    this.pad.draw();
    this.onEnd();
  }

  #isGiven(i) {
    const line = Number(this.part.line.value);
    const y = Math.floor(i / SIDE);
    const x = i % SIDE;
    return { top: y < line, bottom: y >= line, left: x < line, right: x >= line }[this.part.side.value];
  }

  #ink() {
    const fine = 8;
    const { grey } = this.pad.raster(SIDE * fine, 0);
    const ink = new Uint8Array(SIDE * SIDE);
    for (let i = 0; i < ink.length; i += 1) {
      let sum = 0;
      const [x, y] = [(i % SIDE) * fine, Math.floor(i / SIDE) * fine];
      for (let dy = 0; dy < fine; dy += 1) for (let dx = 0; dx < fine; dx += 1) sum += grey[(y + dy) * SIDE * fine + x + dx];
      ink[i] = Math.round(sum / fine ** 2);
    }
    return ink;
  }

  /** Return the image and the mask (255 given), and if there is ink in the given part. */
  given() {
    const image = this.#ink();
    const given = image.map((_, i) => (this.#isGiven(i) ? 255 : 0));
    return { image, given, ink: image.some((level, i) => level > 127 && given[i]) };
  }

  #line(context, width, height) {
    const line = Number(this.part.line.value) / SIDE;
    const side = this.part.side.value;
    const [x, y, w, t] = { top: [0, line, 1, 1 - line], bottom: [0, 0, 1, line], left: [line, 0, 1 - line, 1], right: [0, 0, line, 1] }[side];
    context.fillStyle = "rgb(116 173 233 / 14%)";
    context.fillRect(x * width, y * height, w * width, t * height);
    context.strokeStyle = "rgb(116 173 233 / 90%)";
    context.lineWidth = 1.5;
    context.setLineDash([6, 5]);
    context.beginPath();
    if (side === "top" || side === "bottom") { context.moveTo(0, line * height); context.lineTo(width, line * height); }
    else { context.moveTo(line * width, 0); context.lineTo(line * width, height); }
    context.stroke();
    context.setLineDash([]);
  }
}
