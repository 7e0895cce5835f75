// RAM's panel: draw a digit, and watch the gaze step over it; move a glimpse, and see the belief change.

import { Bars, percent } from "../../kit/bars.js";
import { copyable, h, latest, parts } from "../../kit/dom.js";
import { Pad } from "../../kit/pad.js";
import { fromBase64, paint, picture, readPicture, toBase64 } from "../../kit/pixels.js";
import { Player } from "../../kit/player.js";
import { clean, clutter } from "./clutter.js";
import { Stage, drawGaze } from "./stage.js";

const PLAIN = "ram-mnist";
const CLUTTERED = "ram-cluttered";
const RASTER = 112;

export async function mount(root, studio) {
  const part = parts(root);
  const look = new Look(part, studio);
  copyable(root, studio.say);
  await look.loadExamples();
  look.facts().then(
    () => { if (look.pad.isEmpty && !look.image) look.take(3); }, // something to see at once
    (error) => studio.say(error.message, true),
  );
  return { leave: () => look.player.pause() };
}

class Look {
  constructor(part, studio) {
    Object.assign(this, { part, studio, digits: [], chosen: 0, pieces: 0, places: [], frames: [], others: [], placed: null, image: null });
    this.network = PLAIN;
    this.pad = new Pad(part.pad, { label: "A pad for a digit", onEnd: () => this.read(), onBegin: () => this.#stop() });
    this.player = new Player(part.player, { seconds: 0.65, unit: "glimpse", show: (t, moving) => this.show(t, moving) });
    this.stage = new Stage(part, {
      onDrag: (k, place) => this.force(k, place),
      onFocus: (k) => this.player.go(k),
    });
    this.relook = latest(() => this.#look(false));
    part.undo.onclick = () => { this.pad.undo(); this.read(); };
    part.clear.onclick = () => { this.pad.clear(); this.#empty(); };
    part.save.onclick = () => this.#save();
    part.photo.onchange = () => { const [file] = part.photo.files; if (file) this.photo(file); part.photo.value = ""; };
    part.clutter.onclick = () => this.sprinkle(4);
    part.clean.onclick = () => this.sprinkle(-this.pieces);
    part.reset.onclick = () => { this.places = []; this.#look(true); };
    part.glimpses.oninput = () => { this.#many(Number(part.glimpses.value)); if (this.image) this.relook(); };
    addEventListener("studio-theme", () => this.player.changed());
    addEventListener("resize", () => this.player.changed());
    this.#drops();
    this.#command();
  }

  async facts() {
    this.known ??= this.studio.facts();
    const { networks } = await this.known;
    const facts = networks[this.network];
    if (this.shownNetwork !== this.network) {
      this.shownNetwork = this.network;
      if (!this.bars) this.bars = new Bars(this.part.bars, facts.classes);
      this.part.glimpses.max = facts.glimpses;
      this.#many(facts.glimpses);
      const scales = facts.scales > 1 ? ` at ${facts.scales} scales` : "";
      this.part.network.textContent = `${this.network}: ${facts.glimpses} glimpses of ${facts.patch} × ${facts.patch}${scales}`;
    }
    return facts;
  }

  #many(count) {
    this.part.glimpses.value = count;
    this.part.many.textContent = this.part.glimpses.value;
  }

  async loadExamples() {
    const found = await (await fetch(new URL("examples.json", this.studio.base))).json();
    this.examples = found.map(({ label, image }) => ({ label, image: fromBase64(image) }));
    for (const [index, example] of this.examples.entries()) {
      const canvas = h("canvas", { class: "pixels" });
      paint(canvas, example.image, 28, 28);
      this.part.examples.append(
        h("button", { type: "button", "aria-label": `Example: a ${example.label}`, onclick: () => this.take(index) }, canvas),
      );
    }
  }

  /** Look at an example: an image of the network's size, which needs no framing. */
  take(index) {
    this.pad.clear();
    this.#digits([{ image: this.examples[index].image, doubt: null }], index);
    const canvas = document.createElement("canvas");
    paint(canvas, this.examples[index].image, 28, 28);
    this.pad.showPhoto({ canvas, width: 28, height: 28 });
    return this.#begin();
  }

  async photo(file) {
    try {
      const photo = await readPicture(file);
      this.pad.showPhoto(photo);
      await this.#frame({ width: photo.width, height: photo.height, channels: 3, pixels: toBase64(photo.pixels) });
    } catch (error) {
      this.studio.say(error.message, true);
    }
  }

  /** Read what is on the pad. */
  async read() {
    if (this.pad.isEmpty) return this.#empty();
    if (this.pad.photo) return undefined;
    this.lifted = performance.now();
    const { grey } = this.pad.raster(RASTER);
    return this.#frame({ width: RASTER, height: RASTER, channels: 1, pixels: toBase64(grey) });
  }

  async #frame(request) {
    this.#stop();
    const stop = (this.abort = new AbortController());
    try {
      for await (const { digits } of this.studio.ask("frame", request, stop.signal)) {
        this.#digits(digits.map(({ image, doubt }) => ({ image: fromBase64(image), doubt })), null);
      }
      if (!stop.signal.aborted) await this.#begin();
    } catch (error) {
      if (!stop.signal.aborted) this.studio.say(error.message, true);
    }
  }

  #digits(digits, example) {
    Object.assign(this, { digits, chosen: 0, example, placed: null });
    const several = digits.length > 1;
    this.part.digits.hidden = !several;
    this.part.digits.replaceChildren(
      ...(several ? digits : []).map(({ image }, index) => {
        const canvas = h("canvas", { class: "pixels" });
        paint(canvas, image, 28, 28);
        return h("button", {
          type: "button", "aria-pressed": index === 0, "aria-label": `Digit ${index + 1} of ${digits.length}`,
          onclick: (event) => {
            this.chosen = index;
            for (const one of this.part.digits.children) one.setAttribute("aria-pressed", one === event.currentTarget);
            this.placed = null;
            this.#begin();
          },
        }, canvas);
      }),
    );
  }

  /** Sprinkle pieces of other digits, and read with the network for cluttered images; none: with the plain one. */
  async sprinkle(more) {
    if (!this.digits.length) await this.take(3);
    this.pieces = Math.min(16, this.pieces + more);
    this.network = this.pieces ? CLUTTERED : PLAIN;
    this.part.clean.hidden = !this.pieces;
    this.#command();
    this.placed ??= clean(this.digits[this.chosen].image);
    return this.#begin();
  }

  /** Look anew at the chosen digit. */
  async #begin() {
    this.places = [];
    this.studio.say("");
    const facts = await this.facts();
    const digit = this.digits[this.chosen];
    if (this.network === CLUTTERED) {
      this.placed ??= clean(digit.image);
      this.image = clutter(this.placed, this.pieces, this.examples, this.example);
    } else this.image = digit.image;
    this.side = facts.width;
    this.part.doubt.hidden = !digit.doubt;
    this.part.doubt.textContent = digit.doubt ? `Do not believe it: this ${digit.doubt.startsWith("does") ? digit.doubt : `is ${digit.doubt}`}.` : "";
    return this.#look(true);
  }

  /** Take over a glimpse: the person chooses its place. null gives it back to the policy. */
  force(k, place) {
    while (this.places.length <= k) this.places.push(null);
    this.places[k] = place;
    this.player.go(k);
    this.relook();
  }

  async #look(fromTheStart) {
    if (fromTheStart) this.#stop();
    const stop = (this.abort = fromTheStart ? new AbortController() : (this.abort ?? new AbortController()));
    const facts = await this.facts();
    const glimpses = Math.min(facts.glimpses, Number(this.part.glimpses.value));
    const gaze = { policy: "learned", places: this.places.slice(0, facts.glimpses) };
    const request = { network: this.network, image: toBase64(this.image), gazes: [gaze], glimpses };
    this.part.reset.hidden = !this.places.some(Boolean);
    const frames = [];
    if (fromTheStart) this.frames = frames;
    if (fromTheStart) this.player.begin(glimpses);
    try {
      for await (const { t, gazes } of this.studio.ask("look", request, stop.signal)) {
        frames[t] = gazes[0];
        if (!fromTheStart) continue;
        this.player.arrived(t + 1);
        if (t === 0 && this.lifted) {
          this.part.stage.dataset.firstGlimpseMs = Math.round(performance.now() - this.lifted);
          this.lifted = null;
        }
      }
      if (stop.signal.aborted) return;
      this.frames = frames;
      if (!fromTheStart && this.player.total !== glimpses) {
        this.player.begin(glimpses, false);
        this.player.arrived(glimpses);
        this.player.go(glimpses - 1);
      }
      this.player.changed();
      this.#timeline();
      await this.#compare(stop.signal, glimpses, fromTheStart);
    } catch (error) {
      if (!stop.signal.aborted) this.studio.say(error.message, true);
    }
  }

  /** Run the other gazes over the same image. */
  async #compare(signal, glimpses, anew) {
    const other = this.examples[((this.example ?? 3) + 5) % this.examples.length];
    if (anew || !this.otherPlaces || this.otherFor !== this.network) {
      const image = this.network === CLUTTERED ? clutter(clean(other.image), this.pieces, this.examples, null) : other.image;
      const request = { network: this.network, image: toBase64(image), gazes: [{ policy: "learned" }], glimpses: Number(this.part.glimpses.max) };
      const places = [];
      for await (const { gazes } of this.studio.ask("look", request, signal)) places.push(gazes[0].location);
      Object.assign(this, { otherPlaces: places, otherFor: this.network, seed: Math.floor(Math.random() * 2 ** 31) });
    }
    const gazes = [
      { policy: "learned", places: this.places.slice(0, Number(this.part.glimpses.max)) },
      { policy: "fixed-scan" },
      { policy: "random", seed: this.seed },
      { policy: "learned", places: this.otherPlaces },
    ];
    const names = [this.places.some(Boolean) ? "your gaze" : "its own gaze", "a fixed scan", "random places", `another image's gaze (a ${other.label})`];
    const all = gazes.map(() => []);
    const request = { network: this.network, image: toBase64(this.image), gazes, glimpses };
    for await (const { t, gazes: seen } of this.studio.ask("look", request, signal)) {
      seen.forEach((one, k) => { all[k][t] = one; });
    }
    if (signal.aborted || !all[0].length) return;
    this.others = all;
    this.part.others.replaceChildren(
      ...all.map((frames, k) => {
        const canvas = h("canvas", { role: "img", "aria-label": `Places of ${names[k]}` });
        const belief = frames.at(-1).belief;
        const best = belief.indexOf(Math.max(...belief));
        queueMicrotask(() => drawGaze(canvas, this.image, this.side, frames, frames.length - 1));
        return h("figure", {}, canvas, h("figcaption", {}, h("b", {}, `${best}`), ` at ${percent(belief[best])}`, h("br"), h("span", { class: "note" }, names[k])));
      }),
    );
  }

  /** Draw the moment t. */
  show(t) {
    const index = Math.min(Math.floor(t + 0.35), this.frames.length - 1);
    const frame = this.frames[index];
    if (!frame) return;
    this.stage.show(this.image, this.side, this.frames, t, this.places);
    this.bars.show(frame.belief, this.frames.length === this.player.total ? this.frames.at(-1).belief : null);
    const best = frame.belief.indexOf(Math.max(...frame.belief));
    const text = `${best}, ${percent(frame.belief[best])} after ${index + 1} glimpse${index ? "s" : ""}`;
    if (this.part.answer.textContent !== text) this.part.answer.textContent = text;
    if (this.seen !== frame) this.#retina(frame);
    this.#mark(index);
  }

  #retina(frame) {
    this.seen = frame;
    const scales = frame.windows.length;
    const bytes = fromBase64(frame.patches);
    const side = Math.round(Math.sqrt(bytes.length / scales));
    while (this.part.retina.children.length > scales) this.part.retina.lastChild.remove();
    for (let s = 0; s < scales; s += 1) {
      if (!this.part.retina.children[s]) {
        const canvas = h("canvas", { class: "pixels", role: "img", "aria-label": "A patch that the retina gives" });
        this.part.retina.append(h("figure", {}, canvas, h("figcaption")));
      }
      const figure = this.part.retina.children[s];
      paint(figure.firstChild, bytes.subarray(s * side * side, (s + 1) * side * side), side, side);
      const text = scales > 1 ? `${side * 2 ** s} pixels wide` : `${side} × ${side} pixels`;
      figure.lastChild.textContent = text;
    }
  }

  #timeline() {
    const items = this.frames.map((frame, k) => {
      const canvas = h("canvas", { class: "pixels" });
      const bytes = fromBase64(frame.patches);
      const side = Math.round(Math.sqrt(bytes.length / frame.windows.length));
      paint(canvas, bytes.subarray(0, side * side), side, side);
      const best = frame.belief.indexOf(Math.max(...frame.belief));
      return h("li", {}, h("button", { type: "button", "aria-pressed": false, onclick: () => this.player.go(k) }, h("span", {}, h("span", { class: "unseen" }, "Glimpse "), `${k + 1}`), canvas, `${best} · ${percent(frame.belief[best])}`));
    });
    this.part.timeline.replaceChildren(...items);
    this.marked = null;
    this.#mark(Math.min(Math.round(this.player.t), this.frames.length - 1));
  }

  #mark(index) {
    if (this.marked === index) return;
    this.marked = index;
    [...this.part.timeline.children].forEach((item, k) => item.firstChild.setAttribute("aria-pressed", k === index));
  }

  #stop() {
    this.abort?.abort();
    this.abort = null;
    this.player.pause();
  }

  #empty() {
    this.#stop();
    Object.assign(this, { digits: [], frames: [], image: null, places: [], placed: null });
    this.player.begin(0, false);
    this.stage.clear();
    this.bars?.show(null);
    this.part.retina.replaceChildren();
    this.part.timeline.replaceChildren();
    this.part.others.replaceChildren();
    this.part.doubt.hidden = true;
    this.part.digits.hidden = true;
    this.part.answer.replaceChildren(h("span", { class: "note" }, "Draw a digit, and lift the pen."));
  }

  #drops() {
    const target = this.part.pad;
    target.addEventListener("dragover", (event) => event.preventDefault());
    target.addEventListener("drop", (event) => {
      event.preventDefault();
      const [file] = event.dataTransfer.files;
      if (file) this.photo(file);
    });
    addEventListener("paste", (event) => {
      const [file] = event.clipboardData?.files ?? [];
      if (file && target.offsetParent) this.photo(file);
    });
  }

  /** Save what is read, so that the command line reads the same. */
  #save() {
    if (this.pad.isEmpty) return this.studio.say("There is nothing on the pad yet.");
    const { canvas } = this.network === CLUTTERED
      ? { canvas: picture(this.image, this.side, this.side) }
      : (this.pad.photo ?? this.pad.raster(280));
    return canvas.toBlob((blob) => {
      const address = URL.createObjectURL(blob);
      h("a", { href: address, download: "digit.png" }).click();
      setTimeout(() => URL.revokeObjectURL(address), 1000);
    });
  }

  #command() {
    const other = this.network === CLUTTERED ? ` --run ${CLUTTERED} --as-is` : "";
    this.part.command.textContent = `saccade glimpse read digit.png${other} --gif gaze.gif`;
  }
}
