// sketch-rnn's panel: a person begins, the network goes on from where the pen is lifted; accept, undo, draw on in turns.

import { Bars, percent } from "../../kit/bars.js";
import { calm, copyable, h, latest, parts, sharp } from "../../kit/dom.js";
import { Pad } from "../../kit/pad.js";
import { fromBase64 } from "../../kit/pixels.js";
import { dot, Ending, ink, ITS, YOURS } from "./endings.js";
import { download, gif, SIDE, svg } from "./save.js";

const DIGITS = "sketch-digits";
const TITLES = { "sketch-digits": "Digits", "sketch-omniglot": "Characters" };
const [LIKELIEST, DIFFERENT, ENDINGS, MOST_POINTS] = [-1, -2, 6, 1500];
const PEN = 0.02;
const TOO_SMALL = 0.03;
const BEGIN = Array.from({ length: 24 }, (_, k) => {
  const angle = Math.PI * (1.05 + (1.15 * k) / 23);
  return { x: 0.49 + 0.18 * Math.cos(angle), y: 0.34 + 0.17 * Math.sin(angle) };
}); // the upper arc of a 2, 3, 8 or 9

export async function mount(root, studio) {
  const panel = new SketchPanel(parts(root), studio);
  copyable(root, studio.say);
  await panel.start();
  return { leave: () => panel.leave(), enter: () => panel.enter() };
}

class SketchPanel {
  constructor(part, studio) {
    Object.assign(this, { part, studio, endings: [], chosen: 0, seed: 1, clock: null, network: DIGITS });
    this.pad = new Pad(part.pad, {
      label: "A pad for a drawing", pen: PEN, colour: YOURS, onBegin: () => this.#drop(), onEnd: () => this.#ended(),
    });
    this.pad.decorate = (context, width) => this.#decorate(context, width);
    this.pad.undo = () => this.#undo();
    part.accept.onclick = () => this.accept();
    part.other.onclick = () => { this.seed = Math.floor(Math.random() * 2 ** 31); this.go(); };
    part.undo.onclick = () => { this.#undo(); this.#ended(); };
    part.clear.onclick = () => { this.#drop(); this.pad.clear(); this.#ended(); };
    part.replay.onclick = () => this.#play();
    part.svg.onclick = () => download(new Blob([svg([...this.#own(), ...this.#pending()])], { type: "image/svg+xml" }), "drawing.svg");
    part.begun.onclick = () => download(new Blob([svg(this.#sent().map((points) => ({ points })))], { type: "image/svg+xml" }), "begun.svg");
    part.gif.onclick = () => download(new Blob([gif(this.#own(), this.ending)], { type: "image/gif" }), "drawing.gif");
    const again = latest(() => this.go());
    part.temperature.oninput = () => { this.#outputs(); if (this.endings.length) again(); };
    for (const name of ["label", "far", "open", "density"]) part[name].onchange = () => { if (this.endings.length) this.go(); else this.#command(); };
    new ResizeObserver(() => this.#tiles()).observe(part.tiles);
    addEventListener("studio-theme", () => this.#tiles());
  }

  async start() {
    this.facts = await this.studio.facts();
    const names = Object.keys(this.facts.networks);
    this.part.networks.append(
      ...names.map((name) => h("button", { type: "button", "data-network": name, onclick: () => this.choose(name) }, TITLES[name] ?? name)),
    );
    this.bars = new Bars(this.part.bars, this.facts.reader.classes);
    this.choose(DIGITS);
    this.pad.strokes = [structuredClone(BEGIN)];
    this.pad.draw();
    this.go(); // something to see at once
  }

  choose(name) {
    this.network = name;
    for (const button of this.part.networks.children) button.setAttribute("aria-pressed", button.dataset.network === name);
    const { classes, labelled } = this.facts.networks[name];
    const options = labelled ? [["what fits best", LIKELIEST], ["mixed digits", DIFFERENT], ...classes.map((one, k) => [`a ${one}`, k])] : [["what fits", LIKELIEST]];
    this.part.label.replaceChildren(...options.map(([text, value]) => h("option", { value, selected: value === DIFFERENT }, text)));
    this.part.reads.hidden = !labelled;
    const had = this.endings.length;
    this.#drop();
    this.#outputs();
    if (had) this.go();
  }

  get ending() {
    return this.endings[this.chosen];
  }

  /** Let the network go on from what is on the pad. */
  async go() {
    this.#drop();
    const signal = (this.abort = new AbortController()).signal;
    const strokes = this.#sent();
    const request = this.#request(strokes);
    this.#command();
    const asked = performance.now();
    this.part.turn.textContent = "The network draws …";
    const from = strokes.at(-1)?.at(-1) ?? { x: 0.5, y: 0.5 };
    const endings = Array.from({ length: ENDINGS }, () => new Ending(from, ""));
    try {
      for await (const { classes, t, moves, density } of this.studio.ask("draw", request, signal)) {
        if (classes) {
          if (this.facts.networks[this.network].labelled) classes.forEach((name, k) => { endings[k].name = name; });
          continue;
        }
        moves.forEach((move, k) => endings[k].add(move, !strokes.length || request.pen_down, density && fromBase64(density[k])));
        if (t === 0 && strokes.length) this.#begin(endings, asked);
      }
      if (signal.aborted) return;
      for (const ending of endings) ending.done = true;
      if (!strokes.length) {
        endings.forEach(middle);
        this.#begin(endings, asked);
      }
      this.#buttons();
      await this.#read(signal);
    } catch (error) {
      if (signal.aborted) return;
      this.#drop();
      this.part.turn.textContent = "";
      this.studio.say(error.message, true);
    }
  }

  #request(strokes) {
    const last = this.pad.strokes.at(-1);
    return {
      network: this.network, strokes: strokes.map((stroke) => stroke.map(({ x, y }) => [round(x), round(y)])),
      pen_down: this.part.open.checked && !last?.its, label: Number(this.part.label.value), count: ENDINGS, seed: this.seed,
      temperature: Number(this.part.temperature.value) / 100, most_strokes: Number(this.part.far.value), density: this.part.density.checked,
    };
  }

  /** The first move of each ending is there: the pens begin. */
  #begin(endings, asked) {
    this.studio.say("");
    Object.assign(this, { endings, chosen: 0 });
    this.part.tiles.replaceChildren(
      ...endings.map(({ name }, k) => h("button", {
        type: "button", class: "tile", "aria-pressed": k === 0, "aria-label": `Ending ${k + 1}${name && `: ${name}`}`, onclick: () => this.pick(k),
      }, h("canvas"), name ? h("span", {}, name) : null)),
    );
    this.#buttons();
    this.#command();
    this.#play();
    requestAnimationFrame(() => { this.part.pad.dataset.firstMoveMs = Math.round(performance.now() - asked); });
  }

  pick(k) {
    this.chosen = k;
    this.#command();
    [...this.part.tiles.children].forEach((tile, index) => tile.setAttribute("aria-pressed", index === k));
    this.beliefs = null;
    this.#play();
    this.#buttons();
    this.#read(this.abort?.signal).catch((error) => this.studio.say(error.message, true));
  }

  /** Let a reader read the drawing with the chosen ending. */
  async #read(signal) {
    const ending = this.ending;
    if (this.part.reads.hidden || !ending?.done) return;
    const pending = this.#pending().map(({ points, joins }) => Object.assign(points, { joins }));
    const strokes = this.#sent(pending).map((stroke) => stroke.map(({ x, y }) => [round(x), round(y)]));
    for await (const { beliefs } of this.studio.ask("read", { strokes }, signal)) {
      if (ending !== this.ending) return;
      this.beliefs = beliefs;
      this.#believe();
    }
  }

  /** Show what the reader believes as far as the pen has come. */
  #believe() {
    if (!this.beliefs) return;
    const { ending, beliefs } = this;
    const { moves } = ending ? ending.at(this.#seconds()) : { moves: 0 };
    const index = Math.max(0, beliefs.length - 1 - (ending ? ending.points.length - moves : 0));
    this.bars.show(beliefs[index], beliefs.at(-1));
    const best = beliefs[index].indexOf(Math.max(...beliefs[index]));
    const text = `${this.facts.reader.classes[best]}, ${percent(beliefs[index][best])}`;
    if (this.part.answer.textContent !== text) this.part.answer.textContent = text;
  }

  accept() {
    if (!this.ending?.done) return;
    const turn = this.pad.strokes.length;
    for (const { points, joins } of this.#pending()) this.pad.strokes.push(Object.assign(points, { colour: ITS, its: true, joins, turn }));
    const isShort = this.part.far.value === "1";
    this.#drop();
    this.pad.draw();
    this.part.turn.textContent = isShort ? "Your turn: draw on." : "Accepted. Draw on if you like, or save it.";
    this.#buttons();
  }

  /** Take back the ending that is shown; else the last turn. */
  #undo() {
    if (this.endings.length) this.#drop();
    const last = this.pad.strokes.pop();
    while (last?.its && this.pad.strokes.at(-1)?.turn === last.turn) this.pad.strokes.pop();
    this.pad.draw();
  }

  #ended() {
    if (!this.pad.strokes.length) {
      this.#drop();
      this.part.turn.textContent = "Draw the beginning, and lift the pen.";
      return;
    }
    const all = this.pad.strokes.flat();
    const extent = (axis) => Math.max(...all.map((point) => point[axis])) - Math.min(...all.map((point) => point[axis]));
    if (Math.max(extent("x"), extent("y")) < TOO_SMALL) {
      this.part.turn.textContent = "Draw a little more.";
      this.#buttons();
    } else if (this.pad.strokes.at(-1).its) {
      this.part.turn.textContent = "Your turn: draw on.";
      this.#buttons();
    } else this.go();
  }

  /** Leave what the network has drawn and what was not accepted. */
  #drop() {
    this.abort?.abort();
    cancelAnimationFrame(this.frame);
    Object.assign(this, { endings: [], chosen: 0, clock: null, beliefs: null });
    this.part.tiles.replaceChildren();
    this.bars?.show(null);
    this.part.answer.replaceChildren(h("span", { class: "note" }, "Another network reads along, move by move."));
    this.#buttons();
    this.pad.draw();
  }

  #buttons() {
    const { part } = this;
    if (this.facts) this.#command();
    const drawn = this.pad.strokes.length > 0;
    const has = Boolean(this.ending);
    part.accept.disabled = !this.ending?.done || !this.ending.points.length;
    part.replay.disabled = !has;
    part.undo.disabled = part.clear.disabled = !drawn && !has;
    part.begun.disabled = !drawn;
    part.svg.disabled = part.gif.disabled = !drawn && !has;
    part.other.textContent = has ? "Other endings" : drawn ? "Let it go on" : "Draw one for me";
    if (has && this.ending.done) {
      part.turn.textContent = this.ending.points.length ? "Accept it, choose another one, or just draw on." : "It adds nothing: for it the drawing is finished.";
    }
  }

  #play() {
    cancelAnimationFrame(this.frame);
    this.clock = performance.now();
    const tick = () => {
      this.pad.draw();
      this.#tiles();
      this.#believe();
      const over = this.endings.every((ending) => ending.done && this.#seconds() >= ending.seconds);
      if (!over) this.frame = requestAnimationFrame(tick);
    };
    tick();
  }

  #seconds() {
    return calm() ? Infinity : (performance.now() - (this.clock ?? 0)) / 1000;
  }

  #decorate(context, side) {
    const edge = ((1 - (this.facts?.whole ?? 0.68)) / 2) * side;
    Object.assign(context, { strokeStyle: "rgb(243 239 231 / 16%)", lineWidth: 1 });
    context.setLineDash([3, 6]);
    context.strokeRect(edge, edge, side - 2 * edge, side - 2 * edge);
    context.setLineDash([]);
    if (!this.ending) return;
    const seconds = this.#seconds();
    const { strokes, pen, moves } = this.ending.at(seconds);
    const works = seconds < this.ending.seconds;
    if (works && this.ending.densities[moves]) this.#density(context, this.ending.densities[moves], strokes, pen, side);
    ink(context, strokes, ITS, PEN * side, side);
    if (works) dot(context, pen, 0.016 * side, "#ffffff", side);
  }

  /** Shade where the next point may be. */
  #density(context, levels, _, pen, side) {
    const { cells, reach } = this.facts;
    const image = new ImageData(cells, cells);
    levels.forEach((level, i) => image.data.set([255, 196, 120, Math.round(level * 0.8)], 4 * i));
    const small = Object.assign(document.createElement("canvas"), { width: cells, height: cells });
    small.getContext("2d").putImageData(image, 0, 0);
    const half = reach * side;
    context.imageSmoothingEnabled = true;
    context.drawImage(small, pen.x * side - half, pen.y * side - half, 2 * half, 2 * half);
  }

  #tiles() {
    [...this.part.tiles.children].forEach((tile, k) => {
      const { context, width, height } = sharp(tile.firstChild);
      context.clearRect(0, 0, width, height);
      const thick = Math.max(2, 0.026 * width);
      for (const stroke of this.pad.strokes) ink(context, [stroke], stroke.its ? ITS : YOURS, thick, width);
      ink(context, this.endings[k].at(this.#seconds()).strokes, ITS, thick, width);
    });
  }

  /** The strokes on the pad as [{points, its, joins}]. */
  #own() {
    return this.pad.strokes.map((points) => ({ points, its: points.its, joins: points.joins }));
  }

  /** The strokes of the chosen ending, in the same way. */
  #pending() {
    const { ending } = this;
    const goesOn = ending?.goesOn && this.pad.strokes.length > 0;
    return (ending?.strokes ?? []).map((points, k) => ({ points, its: true, joins: goesOn && k === 0 }));
  }

  /** All strokes as the network reads them: one that goes on another is one with it. */
  #sent(more = []) {
    const sent = [];
    for (const stroke of [...this.pad.strokes, ...more]) {
      const every = Math.ceil(stroke.length / MOST_POINTS);
      const points = stroke.filter((_, k) => k % every === 0 || k === stroke.length - 1);
      if (stroke.joins && sent.length) sent.at(-1).push(...points.slice(1));
      else sent.push([...points]);
    }
    return sent;
  }

  #outputs() {
    this.part.warmth.textContent = (Number(this.part.temperature.value) / 100).toFixed(2);
    this.#command();
  }

  #command() {
    const { temperature, label, open } = this.part;
    const chosen = Number(label.value);
    const own = chosen >= 0 ? this.facts.networks[this.network].classes[chosen] : chosen === DIFFERENT ? this.ending?.name : null;
    const heat = `--temperature ${Number(temperature.value) / 100} --seed ${this.seed}`;
    if (!this.pad.strokes.length) {
      this.part.command.textContent = `saccade sketch generate ${this.network} ${own ? `--text ${own}` : `--count ${ENDINGS}`} ${heat} --gif pen.gif`;
      return;
    }
    const down = open.checked && !this.pad.strokes.at(-1).its ? " --pen-down" : "";
    const whole = Math.round(this.facts.whole * SIDE);
    this.part.command.textContent = `saccade sketch complete ${this.network} begun.svg --whole ${whole}${down} --count ${ENDINGS}${own ? ` --class ${own}` : ""} ${heat} --out endings.gif`;
  }

  enter() {
    if (this.endings.length) this.#play();
  }

  leave() {
    cancelAnimationFrame(this.frame);
  }
}

const round = (value) => Math.round(1e5 * value) / 1e5;

/** Move a drawing from noise into the middle of the pad. */
function middle(ending) {
  const all = [ending.from, ...ending.points];
  const [x, y] = ["x", "y"].map((axis) => (Math.max(...all.map((one) => one[axis])) + Math.min(...all.map((one) => one[axis]))) / 2);
  ending.shift(0.5 - x, 0.5 - y);
}
