// The tracker's panel: a box around something in a clip is followed through it; or a person moves the thing.

import { copyable, h, parts } from "../../kit/dom.js";
import { applyPalette, GIFEncoder, quantize } from "../../kit/gifenc.js";
import { fromBase64, toBase64 } from "../../kit/pixels.js";
import { Player } from "../../kit/player.js";
import { Scene, SIDE } from "./scene.js";
import { chart, framed, show, sight } from "./stage.js";

const KEYS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const [KEPT, TICK_MS, SMALLEST] = [60, 45, 4];
const LABELS = {
  clip: "The clip. Draw a box around something with a pointer; or with the keyboard: arrows move the box, with Shift they change its size, Enter follows what is in it.",
  hand: "The scene. Drag the digit with a pointer, or move it with the arrow keys, with Shift faster.",
};

export async function mount(root, studio) {
  const panel = new FollowPanel(parts(root), root, studio);
  copyable(root, studio.say);
  await panel.start();
  return { leave: () => panel.leave(), enter: () => panel.enter() };
}

class FollowPanel {
  constructor(part, root, studio) {
    Object.assign(this, { part, root, studio, mode: "clip", found: [], mine: null, seed: 2, open: true });
    this.player = new Player(part.player, { seconds: 0.09, unit: "frame", glides: false, show: (t) => this.#show(t) });
    part.modes.onclick = ({ target }) => target.dataset.mode && this.choose(target.dataset.mode);
    part.another.onclick = () => { this.seed = Math.floor(Math.random() * 10000); this.clip(); };
    part.kind.onchange = () => this.clip();
    part.save.onclick = () => this.#save();
    part.anew.onclick = () => this.hand();
    part.digit.onchange = () => this.hand();
    const { scene } = part;
    scene.onpointerdown = (event) => this.#down(event);
    scene.onpointermove = (event) => this.#move(event);
    scene.onpointerup = scene.onpointercancel = (event) => this.#up(event);
    scene.onkeydown = (event) => this.#key(event);
    new ResizeObserver(() => this.#draw()).observe(scene);
    addEventListener("studio-theme", () => this.#draw());
  }

  async start() {
    this.facts = await this.studio.facts();
    this.scene = new Scene(this.facts.glyphs);
    this.part.digit.append(...this.facts.glyphs.map((_, k) => h("option", { value: k, selected: k === 3 }, k)));
    this.part.network.textContent = `${this.facts.network}: ${this.facts.window} × ${this.facts.window} filters`;
    await this.choose("clip");
  }

  choose(mode) {
    this.mode = mode;
    for (const button of this.part.modes.children) button.setAttribute("aria-pressed", button.dataset.mode === mode);
    for (const one of this.root.querySelectorAll("[data-for]")) one.hidden = one.dataset.for !== mode;
    this.part.scene.setAttribute("aria-label", LABELS[mode]);
    this.part.scene.classList.toggle("hand", mode === "hand");
    return mode === "clip" ? this.clip() : this.hand();
  }

  /** Take a clip, and follow something in it at once. */
  async clip() {
    const signal = this.#begin();
    try {
      for await (const clip of this.studio.ask("clip", { kind: this.part.kind.value, seed: this.seed }, signal)) {
        const bytes = fromBase64(clip.pixels);
        const size = bytes.length / clip.count;
        this.frames = Array.from({ length: clip.count }, (_, t) => ({ ...clip, levels: bytes.subarray(t * size, (t + 1) * size) }));
        this.box = clip.box;
      }
      if (!signal.aborted) await this.follow(0, this.box);
    } catch (error) {
      if (!signal.aborted) this.studio.say(error.message, true);
    }
  }

  /** Follow what is in a box of frame `first`, to the end of the clip. */
  async follow(first, box) {
    const signal = this.#begin();
    const { frames } = this;
    Object.assign(this, { box, first, frames, found: Array(first).fill(null) });
    this.found[first] = { box, confidence: 1 };
    this.part.title.textContent = "Draw a box around something";
    this.part.command.textContent = `saccade track follow clip.gif --box ${box.map(Math.round).join(",")}${first ? ` --first ${first + 1}` : ""} --gif follow.gif`;
    this.player.begin(frames.length, false);
    this.player.arrived(first + 1);
    this.player.go(first);
    try {
      const follows = await this.#follows(frames[first], box, signal);
      const rest = frames.slice(first + 1);
      if (!follows || !rest.length) return;
      const pixels = new Uint8Array(rest.length * rest[0].levels.length);
      rest.forEach(({ levels }, t) => pixels.set(levels, t * levels.length));
      const asked = performance.now();
      for await (const event of this.studio.ask("look", { follows, count: rest.length, pixels: toBase64(pixels) }, signal)) {
        this.found[first + 1 + event.t] = taken(event);
        this.player.arrived(first + 2 + event.t);
        if (event.t === 0) {
          this.part.scene.dataset.firstAnswerMs = Math.round(performance.now() - asked);
          this.player.play();
        }
      }
    } catch (error) {
      if (!signal.aborted) this.studio.say(error.message, true);
    }
  }

  /** Begin to follow what is in a box of a frame; return its name. */
  async #follows({ levels, width, height, channels }, box, signal) {
    const request = { width, height, channels, pixels: toBase64(levels), box: box.map(Number) };
    for await (const { follows } of this.studio.ask("begin", request, signal)) return follows;
    return null;
  }

  /** Let the person move the digit: frame after frame is looked at. */
  async hand() {
    const signal = this.#begin();
    this.scene.begin(Number(this.part.digit.value));
    this.part.title.textContent = `Move the ${this.part.digit.value}; lose the tracker if you can`;
    this.part.command.textContent = "saccade track follow my-video.mp4 --box 37,37,22,22 --gif follow.gif";
    const frameOf = (seconds) => ({ levels: this.scene.frame(seconds, this.part.wall.checked), width: SIDE, height: SIDE, channels: 1 });
    this.frames = [frameOf(0)];
    this.found = [{ box: this.scene.box, confidence: 1 }];
    this.#show(0);
    try {
      const follows = await this.#follows(this.frames[0], this.scene.box, signal);
      let last = performance.now();
      while (!signal.aborted) {
        await new Promise((resolve) => setTimeout(resolve, Math.max(0, TICK_MS - (performance.now() - last))));
        if (!this.open || document.hidden) {
          await new Promise((resolve) => setTimeout(resolve, 200));
          last = performance.now();
          continue;
        }
        const now = performance.now();
        const frame = frameOf(Math.min(0.1, (now - last) / 1000));
        last = now;
        for await (const event of this.studio.ask("look", { follows, count: 1, pixels: toBase64(frame.levels) }, signal)) {
          this.frames = [...this.frames.slice(1 - KEPT), frame];
          this.found = [...this.found.slice(1 - KEPT), taken(event)];
        }
        if (signal.aborted) return;
        this.part.scene.dataset.answerMs = Math.round(performance.now() - now);
        this.#show(this.frames.length - 1);
      }
    } catch (error) {
      if (!signal.aborted) this.studio.say(error.message, true);
    }
  }

  /** End what runs. */
  #begin() {
    this.abort?.abort();
    this.abort = new AbortController();
    this.studio.say("");
    this.mine = null;
    this.player.pause();
    return this.abort.signal;
  }

  #show(t) {
    this.shown = Math.round(t);
    this.#draw();
  }

  #draw() {
    const frame = this.frames?.[this.shown];
    if (!frame) return;
    const now = this.found[this.shown] ?? null;
    show(this.part.scene, frame, now, this.mine);
    if (now?.patch) sight(this.part.sight, now, this.facts.window, frame.channels);
    const total = this.mode === "clip" ? this.frames.length : KEPT;
    chart(this.part.chart, Array.from({ length: total }, (_, k) => this.found[k]?.confidence ?? null), this.shown);
    const isLost = now && now.confidence < 0.5;
    const text = !now ? "not followed here" : !now.window ? "the given box" : isLost ? "lost" : `${Math.round(100 * now.confidence)}% sure`;
    if (this.part.answer.textContent !== text) this.part.answer.textContent = text;
    this.part.answer.classList.toggle("lost", Boolean(isLost));
    const sure = this.found.filter((one) => one?.window);
    this.part.chart.setAttribute("aria-label", `Confidence in every frame; lost in ${sure.filter(({ confidence }) => confidence < 0.5).length} of ${sure.length}`);
  }

  #at(event) {
    const box = this.part.scene.getBoundingClientRect();
    const within = (value) => Math.min(1, Math.max(0, value));
    return [within((event.clientX - box.left) / box.width), within((event.clientY - box.top) / box.height)];
  }

  #down(event) {
    if (event.button !== 0 || this.pointer != null || !this.frames) return;
    event.preventDefault();
    this.part.scene.focus({ preventScroll: true, focusVisible: false });
    this.part.scene.setPointerCapture(event.pointerId);
    this.pointer = event.pointerId;
    this.from = this.#at(event);
    if (this.mode === "hand") this.scene.put(...this.from);
    else this.player.pause();
  }

  #move(event) {
    if (event.pointerId !== this.pointer) return;
    const to = this.#at(event);
    if (this.mode === "hand") {
      this.scene.put(...to);
      return;
    }
    const { width, height } = this.frames[0];
    const [left, right] = [this.from[0], to[0]].sort((a, b) => a - b).map((x) => Math.round(x * width));
    const [top, bottom] = [this.from[1], to[1]].sort((a, b) => a - b).map((y) => Math.round(y * height));
    this.mine = [left, top, right - left, bottom - top];
    this.#draw();
  }

  #up(event) {
    if (event.pointerId !== this.pointer) return;
    this.pointer = null;
    if (this.mode === "hand" || !this.mine) return;
    const { mine } = this;
    this.mine = null;
    if (Math.min(mine[2], mine[3]) >= SMALLEST) this.follow(this.shown, mine);
    else this.#draw();
  }

  #key(event) {
    const by = KEYS[event.key];
    if (this.mode === "hand") {
      if (!by) return;
      event.preventDefault();
      const far = event.shiftKey ? 6 : 2;
      this.scene.put((this.scene.x + far * by[0]) / SIDE, (this.scene.y + far * by[1]) / SIDE);
    } else if (by && this.frames) {
      event.preventDefault();
      const { width, height } = this.frames[0];
      const [x, y, w, t] = this.mine ?? (this.found[this.shown]?.box ?? this.box).map(Math.round);
      const [wide, tall] = event.shiftKey ? [w + 2 * by[0], t + 2 * by[1]] : [w, t];
      const [left, top] = event.shiftKey ? [x, y] : [x + by[0], y + by[1]];
      const fit = (value, low, high) => Math.min(high, Math.max(low, value));
      const sides = [fit(wide, SMALLEST, width), fit(tall, SMALLEST, height)];
      this.mine = [fit(left, 0, width - sides[0]), fit(top, 0, height - sides[1]), ...sides];
      this.player.pause();
      this.#draw();
    } else if (event.key === "Enter" && this.mine) {
      event.preventDefault();
      this.follow(this.shown, this.mine);
    }
  }

  /** Save the clip as a GIF, for the command line. */
  #save() {
    const made = GIFEncoder();
    const all = this.frames.map(({ levels, width, height, channels }) => framed(levels, width, height, channels).getContext("2d").getImageData(0, 0, width, height).data);
    for (const data of all) {
      const palette = quantize(data, 256, { format: "rgb565" });
      made.writeFrame(applyPalette(data, palette, "rgb565"), this.frames[0].width, this.frames[0].height, { palette, delay: 90 });
    }
    made.finish();
    const address = URL.createObjectURL(new Blob([made.bytes()], { type: "image/gif" }));
    h("a", { href: address, download: "clip.gif" }).click();
    setTimeout(() => URL.revokeObjectURL(address), 1000);
  }

  enter() {
    this.open = true;
  }

  leave() {
    this.open = false;
    this.player.pause();
  }
}

const taken = (event) => ({ ...event, patch: fromBase64(event.patch), place: fromBase64(event.place) });
