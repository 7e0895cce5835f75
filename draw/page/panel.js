// DRAW's panel: digits stroke by stroke, a begun digit finished, and the latents of one step.

import { copyable, h, latest, parts } from "../../kit/dom.js";
import { fromBase64, toBase64 } from "../../kit/pixels.js";
import { Player } from "../../kit/player.js";
import { Begin } from "./begin.js";
import { Chart, Tiles } from "./tiles.js";

const LABELLED = "draw-mnist-labelled";
const FREE = "draw-mnist";
const FREE_DRAWINGS = 4;
const STEPS_BESIDE = 9;

export async function mount(root, studio) {
  const panel = new DrawPanel(parts(root), root, studio);
  copyable(root, studio.say);
  await panel.start();
  return { leave: () => panel.player.pause() };
}

class DrawPanel {
  constructor(part, root, studio) {
    Object.assign(this, { part, root, studio, mode: "write", drawings: [] });
    this.tiles = new Tiles(part.tiles, (k) => this.#choose(k));
    this.chart = new Chart(part.chart);
    this.player = new Player(part.player, { seconds: 0.09, unit: "stroke", glides: false, show: (t) => this.#show(t) });
    this.begin = new Begin(part, () => this.finish());
    part.modes.onclick = ({ target }) => target.dataset.mode && this.choose(target.dataset.mode);
    part.form.onsubmit = (event) => { event.preventDefault(); this.write(); };
    part.again.onclick = () => { part.seed.value = Math.floor(Math.random() * 10000); this.write(); };
    part.free.onclick = () => { part.seed.value = Math.floor(Math.random() * 10000); this.free(); };
    part.end.onclick = () => { this.endSeed = Math.floor(Math.random() * 2 ** 31); this.finish(); };
    const move = latest(() => this.latents());
    for (const name of ["digit", "latentseed", "step", "direction", "reach"]) part[name].oninput = () => { this.#outputs(); move(); };
    addEventListener("studio-theme", () => this.player.changed());
    addEventListener("resize", () => this.player.changed());
  }

  async start() {
    this.networks = (await this.studio.facts()).networks;
    const { classes, steps, directions } = this.networks[LABELLED];
    this.part.digit.append(...classes.map((name) => h("option", { value: name, selected: name === "3" }, name)));
    this.part.step.max = steps - 1;
    this.part.direction.max = directions.length - 1;
    this.#outputs();
    this.write();
  }

  choose(mode) {
    this.mode = mode;
    for (const button of this.part.modes.children) button.setAttribute("aria-pressed", button.dataset.mode === mode);
    for (const section of this.root.querySelectorAll("[data-for]")) section.hidden = section.dataset.for !== mode;
    this.#clear();
    if (mode === "write") this.write();
    if (mode === "latents") this.latents();
    if (mode === "finish") this.begin.ready() ? this.finish() : this.#command("saccade draw complete draw-mnist-labelled half.png --count 6");
  }

  /** Write the number, a digit beside the other. */
  async write() {
    const text = this.part.number.value.trim();
    if (!/^[0-9]{1,8}$/.test(text)) return this.studio.say("Expected a number of 1 to 8 digits; change it.", true);
    const seed = this.#seed(this.part.seed);
    this.#command(`saccade draw generate --text ${text} --seed ${seed} --gif ${text}.gif`);
    return this.#write(LABELLED, [...text].map(Number), seed, [...text]);
  }

  /** Draw digits of any class with the network of 64 strokes. */
  async free() {
    const seed = this.#seed(this.part.seed);
    this.#command(`saccade draw generate draw-mnist --count ${FREE_DRAWINGS} --seed ${seed} --gif drawing.gif`);
    return this.#write(FREE, Array(FREE_DRAWINGS).fill(-1), seed, Array(FREE_DRAWINGS).fill(""));
  }

  #seed(input) {
    const seed = Math.min(2 ** 32 - 1, Math.max(0, Math.floor(Number(input.value) || 0)));
    input.value = seed;
    return seed;
  }

  async #write(network, labels, seed, names) {
    const signal = this.#begin(network, names);
    const request = { network, labels, seed };
    const began = performance.now();
    try {
      for await (const event of this.studio.ask("write", request, signal)) {
        this.#take(event);
        if (event.t === 0) this.part.tiles.dataset.firstStrokeMs = Math.round(performance.now() - began);
      }
      if (signal.aborted) return;
      this.part.tiles.dataset.wholeMs = Math.round(performance.now() - began);
      await this.#redraw(network, labels, seed, signal);
    } catch (error) {
      if (!signal.aborted) this.studio.say(error.message, true);
    }
  }

  /** Let the encoder read the finished drawings: the KL of its every step is what it says about them. */
  async #redraw(network, labels, seed, signal) {
    const last = this.drawings.map((drawing) => drawing.frames.at(-1));
    const images = new Uint8Array(last.length * last[0].length);
    last.forEach((image, k) => images.set(image, k * image.length));
    const kl = labels.map(() => []);
    try {
      for await (const event of this.studio.ask("redraw", { network, labels, seed, images: toBase64(images) }, signal)) {
        event.kl.forEach((nats, k) => kl[k].push(nats));
      }
    } catch (error) {
      if (signal.aborted) return;
      this.part.klnote.textContent = error.message;
      return;
    }
    if (signal.aborted) return;
    this.drawings.forEach((drawing, k) => { drawing.kl = kl[k]; });
    this.part.klnote.textContent = "what the encoder says when it reads the finished digit";
    this.#choose(this.chosen);
  }

  /** Finish what is on the pad. */
  async finish() {
    const { image, given, ink } = this.begin.given();
    if (!ink) {
      this.#clear();
      this.part.progress.textContent = "Draw the beginning, and lift the pen.";
      return;
    }
    const side = this.part.side.value;
    this.#command(`saccade draw complete ${LABELLED} half.png --keep ${side} --count 6`);
    const signal = this.#begin(LABELLED, Array(6).fill(""));
    this.endSeed ??= 0;
    const request = { network: LABELLED, image: toBase64(image), given: toBase64(given), count: 6, seed: this.endSeed, refine: this.studio.live };
    const { bar, progress } = this.part;
    try {
      for await (const event of this.studio.ask("finish", request, signal)) {
        if (event.phase === "drawing") continue;
        if (event.phase === "refining") {
          Object.assign(bar, { hidden: false, max: event.of, value: event.done });
          continue;
        }
        this.#endings(event, given);
        bar.hidden = event.phase === "refined" || !this.studio.live;
        progress.textContent = event.phase === "guess"
          ? `A first guess: the best 6 of ${event.tried} endings by the encoder's posterior.${this.studio.live ? " It is being refined for this drawing …" : ""}`
          : `Refined ${event.done} times for this drawing: the best 6 of ${event.tried} endings, the best bound first.`;
      }
    } catch (error) {
      if (!signal.aborted) this.studio.say(error.message, true);
    }
  }

  #endings(event, given) {
    const size = 28 * 28;
    this.drawings = event.endings.map(({ label, bound, canvases, windows, kl }) => {
      const bytes = fromBase64(canvases);
      const frames = windows.map((_, t) => bytes.subarray(t * size, (t + 1) * size));
      return { frames, windows, kl, name: `${label >= 0 ? label : "?"} · ${bound.toFixed(1)} nats`, given };
    });
    this.tiles.set(this.drawings);
    this.part.klnote.textContent = "what the posterior of this ending says, step by step";
    const playing = event.phase === "guess";
    this.player.begin(this.drawings[0].frames.length, playing);
    this.player.arrived(this.drawings[0].frames.length);
    if (!playing) this.player.go(this.drawings[0].frames.length - 1);
    this.#choose(0);
  }

  /** Draw one digit several times, the latents of one step moved along a direction. */
  async latents() {
    const { digit, step, direction, reach, latentseed } = this.part;
    const half = (STEPS_BESIDE - 1) / 2;
    const amounts = Array.from({ length: STEPS_BESIDE }, (_, k) => ((k - half) / half) * Number(reach.value));
    const labels = amounts.map(() => Number(digit.value));
    const request = { network: LABELLED, labels, seed: this.#seed(latentseed), change: { step: Number(step.value), direction: Number(direction.value), amounts } };
    this.#command(`saccade draw generate --text ${digit.value} --seed ${request.seed}`);
    const names = amounts.map((amount) => (amount > 0 ? "+" : amount < 0 ? "−" : "") + Math.abs(amount).toFixed(1));
    const fresh = this.shownMode !== "latents";
    const signal = this.#begin(LABELLED, names, fresh);
    this.shownMode = "latents";
    const drawings = names.map((name) => ({ frames: [], windows: [], kl: [], name }));
    try {
      for await (const event of this.studio.ask("write", request, signal)) {
        if (fresh) this.#take(event);
        else append(drawings, event);
      }
      if (signal.aborted) return;
      if (!fresh) {
        this.drawings = drawings;
        this.tiles.set(drawings, (STEPS_BESIDE - 1) / 2);
        this.player.begin(drawings[0].frames.length, false);
        this.player.arrived(drawings[0].frames.length);
        this.player.go(drawings[0].frames.length - 1);
      }
      await this.#redraw(LABELLED, labels, request.seed, signal);
    } catch (error) {
      if (!signal.aborted) this.studio.say(error.message, true);
    }
  }

  #outputs() {
    const { step, direction, reach, stepout, directionout, reachout } = this.part;
    stepout.textContent = Number(step.value) + 1;
    directionout.textContent = Number(direction.value) + 1;
    reachout.textContent = `±${reach.value}`;
  }

  /** Begin new drawings; an earlier request ends. */
  #begin(network, names, fresh = true) {
    this.abort?.abort();
    this.abort = new AbortController();
    this.studio.say("");
    this.shownMode = this.mode;
    const { steps } = this.networks[network];
    this.part.network.textContent = `${network}: ${steps} strokes of a 5 × 5 window`;
    if (!fresh) return this.abort.signal;
    this.drawings = names.map((name) => ({ frames: [], windows: [], kl: [], name }));
    this.chosen = names.length === STEPS_BESIDE ? (STEPS_BESIDE - 1) / 2 : 0;
    this.tiles.set(this.drawings, this.chosen);
    this.part.klnote.textContent = "";
    this.#showKl();
    this.player.begin(steps);
    return this.abort.signal;
  }

  #take(event) {
    append(this.drawings, event);
    this.player.arrived(event.t + 1);
  }

  #clear() {
    this.abort?.abort();
    this.drawings = [];
    this.shownMode = null;
    this.tiles.set([]);
    this.player.begin(0, false);
    this.part.klnote.textContent = "";
    this.#showKl();
  }

  #choose(k) {
    this.chosen = k;
    this.tiles.choose(k);
    this.#showKl();
    this.player.changed();
  }

  #showKl() {
    const kl = this.drawings[this.chosen]?.kl ?? [];
    this.chart.set(kl);
    const sum = kl.reduce((all, one) => all + one, 0);
    this.part.klsum.textContent = kl.length ? `${sum.toFixed(1)} nats in ${kl.length} steps` : "";
  }

  #show(t) {
    const at = Math.round(t);
    this.tiles.show(at);
    this.chart.mark(at);
  }

  #command(text) {
    this.part.command.textContent = text;
  }
}

function append(drawings, { canvases, windows }) {
  const bytes = fromBase64(canvases);
  const size = bytes.length / drawings.length;
  drawings.forEach((drawing, k) => {
    drawing.frames.push(bytes.subarray(k * size, (k + 1) * size));
    drawing.windows.push(windows[k]);
  });
}
