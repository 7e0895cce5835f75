// A pad to draw on with pen, finger, mouse or keyboard. Strokes are lines in a unit square; ink is light on dark.

import { colours, h, sharp } from "./dom.js";

const KEYS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

export class Pad {
  /**
   * @param {HTMLElement} root an empty element with a label; the pad fills it.
   * @param {{pen?: number, colour?: string, onEnd?: () => void, onBegin?: () => void, label: string}} options pen: width
   *   of a line, as a part of the pad's side; colour: of the strokes, by default the ink's. A stroke may have its own.
   */
  constructor(root, { pen = 0.075, colour = null, onEnd = () => {}, onBegin = () => {}, label }) {
    this.pen = pen;
    this.colour = colour;
    this.onEnd = onEnd;
    this.onBegin = onBegin;
    this.strokes = [];
    this.photo = null;
    this.cursor = { x: 0.5, y: 0.5, shown: false, down: false };
    this.canvas = h("canvas", {
      class: "pad", tabindex: 0, role: "application",
      "aria-label": `${label}. Draw with a pointer; or with the keyboard: arrows move the pen, Space puts it down and lifts it, Backspace takes a stroke back.`,
    });
    this.decorate = () => {};
    root.append(this.canvas);
    this.canvas.addEventListener("pointerdown", (event) => this.#down(event));
    this.canvas.addEventListener("pointermove", (event) => this.#move(event));
    for (const kind of ["pointerup", "pointercancel"]) {
      this.canvas.addEventListener(kind, (event) => this.#up(event));
    }
    this.canvas.addEventListener("keydown", (event) => this.#key(event));
    this.canvas.addEventListener("blur", () => {
      if (this.cursor.down) this.#lift();
      this.cursor.shown = false;
      this.draw();
    });
    new ResizeObserver(() => this.draw()).observe(this.canvas);
    addEventListener("studio-theme", () => this.draw());
  }

  get isEmpty() {
    return this.strokes.length === 0 && !this.photo;
  }

  clear() {
    this.strokes = [];
    this.photo = null;
    this.draw();
  }

  undo() {
    if (this.photo && !this.strokes.length) this.photo = null;
    this.strokes.pop();
    this.draw();
  }

  /** Show a picture in place of strokes: {canvas, width, height, pixels}. */
  showPhoto(photo) {
    this.strokes = [];
    this.photo = photo;
    this.draw();
  }

  #at(event) {
    const box = this.canvas.getBoundingClientRect();
    const within = (value) => Math.min(1, Math.max(0, value));
    return { x: within((event.clientX - box.left) / box.width), y: within((event.clientY - box.top) / box.height) };
  }

  #down(event) {
    if (event.button !== 0 || this.pointer != null) return;
    event.preventDefault();
    this.canvas.focus({ preventScroll: true, focusVisible: false });
    this.canvas.setPointerCapture(event.pointerId);
    this.pointer = event.pointerId;
    this.cursor.shown = false;
    this.#begin(this.#at(event));
  }

  #begin(point) {
    if (this.photo) this.photo = null;
    this.strokes.push([point]);
    this.drawn = 0;
    this.onBegin();
    this.draw();
  }

  #move(event) {
    if (event.pointerId !== this.pointer) return;
    const stroke = this.strokes.at(-1);
    const events = event.getCoalescedEvents?.() ?? [];
    for (const one of events.length ? events : [event]) stroke.push(this.#at(one));
    this.frame ??= requestAnimationFrame(() => {
      this.frame = null;
      this.#extend();
    });
  }

  #up(event) {
    if (event.pointerId !== this.pointer) return;
    this.pointer = null;
    this.#extend();
    this.onEnd();
  }

  #lift() {
    this.cursor.down = false;
    this.draw();
    this.onEnd();
  }

  #key(event) {
    const step = KEYS[event.key];
    if (step) {
      event.preventDefault();
      const length = event.shiftKey ? 0.1 : 0.035;
      this.cursor.x = Math.min(1, Math.max(0, this.cursor.x + step[0] * length));
      this.cursor.y = Math.min(1, Math.max(0, this.cursor.y + step[1] * length));
      this.cursor.shown = true;
      if (this.cursor.down) this.strokes.at(-1).push({ x: this.cursor.x, y: this.cursor.y });
    } else if (event.key === " " || event.key === "Enter") {
      event.preventDefault();
      this.cursor.shown = true;
      if (this.cursor.down) return this.#lift();
      this.cursor.down = true;
      this.#begin({ x: this.cursor.x, y: this.cursor.y });
    } else if (event.key === "Backspace" || event.key === "Delete") {
      event.preventDefault();
      this.cursor.down = false;
      this.undo();
      this.onEnd();
    } else return undefined;
    return this.draw();
  }

  /** Draw everything again. */
  draw() {
    const { context, width, height } = sharp(this.canvas);
    const { stage, ink, gaze } = colours();
    context.fillStyle = stage;
    context.fillRect(0, 0, width, height);
    if (this.photo) {
      const { width: w, height: t, canvas } = this.photo;
      const scale = Math.min(width / w, height / t);
      context.drawImage(canvas, (width - w * scale) / 2, (height - t * scale) / 2, w * scale, t * scale);
    }
    this.#lines(context, this.strokes, this.colour ?? ink, width);
    this.drawn = this.strokes.at(-1)?.length ?? 0;
    this.decorate(context, width, height);
    if (this.cursor.shown) {
      context.strokeStyle = gaze;
      context.lineWidth = 2;
      context.beginPath();
      context.arc(this.cursor.x * width, this.cursor.y * height, this.cursor.down ? 5 : 9, 0, 7);
      context.stroke();
    }
  }

  /** Draw only what the last stroke has grown by: a frame costs the same however much is drawn. */
  #extend() {
    const stroke = this.strokes.at(-1);
    if (!stroke) return;
    const { context, width } = sharp(this.canvas);
    this.#lines(context, [stroke.slice(Math.max(0, this.drawn - 1))], this.colour ?? colours().ink, width);
    this.drawn = stroke.length;
  }

  #lines(context, strokes, colour, side) {
    Object.assign(context, { strokeStyle: colour, fillStyle: colour, lineWidth: this.pen * side, lineCap: "round", lineJoin: "round" });
    for (const stroke of strokes) {
      context.strokeStyle = context.fillStyle = stroke.colour ?? colour;
      context.beginPath();
      if (stroke.length === 1) {
        context.arc(stroke[0].x * side, stroke[0].y * side, (this.pen * side) / 2, 0, 7);
        context.fill();
        continue;
      }
      context.moveTo(stroke[0].x * side, stroke[0].y * side);
      for (const point of stroke.slice(1)) context.lineTo(point.x * side, point.y * side);
      context.stroke();
    }
  }

  /** Return the strokes as grey levels, `ground` without ink and 255 - ground where there is ink. */
  raster(side, ground = 255) {
    const canvas = Object.assign(document.createElement("canvas"), { width: side, height: side });
    const context = canvas.getContext("2d", { willReadFrequently: true });
    context.fillStyle = ground ? "white" : "black";
    context.fillRect(0, 0, side, side);
    this.#lines(context, this.strokes, ground ? "black" : "white", side);
    const data = context.getImageData(0, 0, side, side).data;
    const grey = new Uint8Array(side * side);
    for (let i = 0; i < grey.length; i += 1) grey[i] = data[4 * i];
    return { grey, canvas };
  }
}
