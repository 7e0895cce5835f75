// The image with the gaze over it: windows, the path, and a handle for every glimpse.

import { h, sharp } from "../../kit/dom.js";
import { picture } from "../../kit/pixels.js";

const GAZE = "#ff8a3d";
const LANDED = 0.6; // of a step's time the gaze moves, as in Saccade's films

const ease = (part) => {
  const p = Math.min(1, Math.max(0, part));
  return p * p * (3 - 2 * p);
};

/** Return where the gaze is at t, between two glimpses. */
function gazeAt(frames, t) {
  const start = Math.min(Math.floor(t), frames.length - 1);
  const next = Math.min(start + 1, frames.length - 1);
  const moved = ease((t - start) / LANDED);
  const mix = (a, b) => a.map((value, k) => value + (b[k] - value) * moved);
  return {
    start,
    location: mix(frames[start].location, frames[next].location),
    windows: frames[start].windows.map((window, s) => mix(window, frames[next].windows[s])),
  };
}

/** Draw an image and the gaze up to t. */
export function drawGaze(canvas, bytes, side, frames, t, large = false) {
  const { context, width, height } = sharp(canvas);
  context.imageSmoothingEnabled = false;
  context.drawImage(picture(bytes, side, side), 0, 0, width, height);
  if (!frames.length) return;
  const at = ([x, y]) => [((x + 1) / 2) * width, ((y + 1) / 2) * height];
  const { start, location, windows } = gazeAt(frames, t);
  const path = [...frames.slice(0, start + 1).map((frame) => frame.location), location].map(at);
  context.strokeStyle = GAZE;
  context.globalAlpha = 0.75;
  context.lineWidth = large ? 2 : 1.5;
  context.setLineDash(large ? [5, 5] : []);
  context.beginPath();
  path.forEach(([x, y], k) => (k ? context.lineTo(x, y) : context.moveTo(x, y)));
  context.stroke();
  context.setLineDash([]);
  windows.forEach(([x, y, w, t2], s) => {
    const [left, top] = at([x - w, y - t2]);
    context.globalAlpha = 1 - 0.28 * s;
    context.lineWidth = s ? 1.5 : large ? 3 : 2;
    context.strokeRect(left, top, w * width, t2 * height);
  });
  context.globalAlpha = 1;
  if (large) return;
  context.fillStyle = GAZE;
  for (const [x, y] of path.slice(0, -1)) {
    context.beginPath();
    context.arc(x, y, 3, 0, 7);
    context.fill();
  }
}

export class Stage {
  constructor({ stage, view, handles }, { onDrag, onFocus }) {
    Object.assign(this, { stage, view, handles, onDrag, onFocus, made: [], side: 28 });
    this.clear();
    new ResizeObserver(() => (this.last ? this.show(...this.last) : this.clear())).observe(view);
  }

  clear() {
    this.last = null;
    const { context, width, height } = sharp(this.view);
    context.fillStyle = "#101216";
    context.fillRect(0, 0, width, height);
    this.handles.replaceChildren();
    this.made = [];
  }

  show(bytes, side, frames, t, places) {
    this.last = [bytes, side, frames, t, places];
    this.side = side;
    drawGaze(this.view, bytes, side, frames, t, true);
    const now = Math.round(t);
    while (this.made.length > frames.length) this.made.pop().remove();
    frames.forEach((frame, k) => {
      this.made[k] ??= this.#handle(k);
      const handle = this.made[k];
      handle.hidden = k > t + 0.01;
      const [x, y] = frame.location;
      handle.place = frame.location;
      handle.style.left = `${50 * (x + 1)}%`;
      handle.style.top = `${50 * (y + 1)}%`;
      handle.classList.toggle("now", k === now);
      handle.classList.toggle("own", Boolean(places[k]));
      const pixel = (value) => Math.round(((value + 1) / 2) * side);
      handle.setAttribute("aria-label", `Glimpse ${k + 1} at pixel ${pixel(x)}, ${pixel(y)}${places[k] ? ", yours" : ""}. Drag it, or move it with the arrow keys; Delete gives it back.`);
    });
  }

  #handle(k) {
    const handle = h("button", { type: "button", class: "handle" }, `${k + 1}`);
    handle.addEventListener("pointerdown", (event) => {
      event.preventDefault();
      handle.setPointerCapture(event.pointerId);
      handle.focus({ preventScroll: true });
      handle.classList.add("held");
      this.onFocus(k);
    });
    handle.addEventListener("pointermove", (event) => {
      if (!handle.hasPointerCapture(event.pointerId)) return;
      const box = this.view.getBoundingClientRect();
      const within = (value) => Math.min(1, Math.max(-1, value));
      this.onDrag(k, [
        within((2 * (event.clientX - box.left)) / box.width - 1),
        within((2 * (event.clientY - box.top)) / box.height - 1),
      ]);
    });
    for (const kind of ["pointerup", "pointercancel"]) handle.addEventListener(kind, () => handle.classList.remove("held"));
    handle.addEventListener("keydown", (event) => {
      const by = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
      if (by) {
        event.preventDefault();
        const [x, y] = handle.place.map((value, axis) => Math.min(1, Math.max(-1, value + (2 * by[axis]) / this.side)));
        this.onDrag(k, [x, y]);
      } else if (event.key === "Delete" || event.key === "Backspace") {
        event.preventDefault();
        this.onDrag(k, null);
      }
    });
    this.handles.append(handle);
    return handle;
  }
}
