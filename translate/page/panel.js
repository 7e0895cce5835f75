// The translator's panel: a German sentence becomes English, word by word, with the alignment as it grows.

import { copyable, h, parts } from "../../kit/dom.js";
import { Player } from "../../kit/player.js";
import { draw } from "./matrix.js";

const EXAMPLES = [
  "Zwei kleine Kinder spielen auf der Wiese mit einem roten Ball.",
  "Der Hund, der gestern den Mann gebissen hat, schläft.",
  "Eine Frau liest in der Straßenbahn eine Zeitung.",
];
const END = "(end)";

export async function mount(root, studio) {
  const panel = new TranslatePanel(parts(root), studio);
  copyable(root, studio.say);
  await panel.start();
  return { leave: () => panel.player.pause() };
}

class TranslatePanel {
  constructor(part, studio) {
    Object.assign(this, { part, studio, found: null });
    this.player = new Player(part.player, { seconds: 0.34, unit: "word", glides: false, show: (t) => this.#show(Math.round(t)) });
    part.form.onsubmit = (event) => { event.preventDefault(); this.write(); };
    part.sentence.onkeydown = (event) => {
      if (event.key !== "Enter" || event.isComposing) return;
      event.preventDefault();
      this.write();
    };
    part.beams.oninput = () => { part.width.textContent = part.beams.value; };
    part.beams.onchange = () => this.write();
    part.examples.append(
      ...EXAMPLES.map((text) => h("button", { type: "button", onclick: () => { part.sentence.value = text; this.write(); } }, text)),
    );
    new ResizeObserver(() => this.#redraw()).observe(part.matrix.parentElement);
    addEventListener("studio-theme", () => this.#redraw());
  }

  async start() {
    const { network, beams } = await this.studio.facts();
    this.part.network.textContent = network;
    this.part.beams.value = beams;
    [this.part.sentence.value] = EXAMPLES;
    this.write();
  }

  /** Translate what is in the field. */
  async write() {
    const sentence = this.part.sentence.value.replace(/\s+/g, " ").trim();
    this.abort?.abort();
    const { signal } = (this.abort = new AbortController());
    if (!sentence) return;
    this.studio.say("");
    this.found = null;
    this.player.begin(0, false);
    this.part.reads.textContent = sentence;
    this.part.writes.replaceChildren();
    this.part.state.textContent = "searching …";
    const asked = performance.now();
    delete this.part.list.dataset.firstBeamMs;
    const beams = Number(this.part.beams.value);
    this.part.command.textContent = `saccade translate write ${quoted(sentence)}${beams === 5 ? "" : ` --beam ${beams}`} --gif alignment.gif`;
    try {
      for await (const event of this.studio.ask("write", { sentence, beams }, signal)) {
        this.#list(event.beams ?? event.candidates, Boolean(event.candidates));
        this.part.list.dataset.firstBeamMs ??= Math.round(performance.now() - asked);
        if (event.candidates) this.#take(event);
      }
    } catch (error) {
      if (signal.aborted) return;
      this.part.state.textContent = "";
      this.studio.say(error.message, true);
    }
  }

  /** List the beams, or in the end the translations. */
  #list(beams, isEnd) {
    this.part.list.replaceChildren(
      ...beams.map(({ text, score }) => h("li", {}, h("span", { class: "score" }, score.toFixed(2)), h("span", { class: "text" }, isEnd ? text : `${text} …`))),
    );
  }

  #take(found) {
    this.found = found;
    const unknown = found.unknown.slice(0, 4).join(", ");
    this.part.state.textContent = unknown ? `it has never seen letters of: ${unknown}` : "";
    this.part.reads.replaceChildren(...spaced(found.read.filter((word) => word !== END)));
    this.part.writes.replaceChildren(...spaced(found.written.filter((word) => word !== END)));
    const best = (row) => found.read[row.indexOf(Math.max(...row))];
    this.part.matrix.setAttribute("aria-label", `Attention. ${found.written.map((word, k) => `${word}: ${best(found.weights[k])}`).join("; ")}`);
    this.player.begin(found.written.length);
    this.player.arrived(found.written.length);
  }

  /** Show the sentence up to word t. */
  #show(t) {
    if (!this.found) return;
    this.at = t;
    const over = t === this.found.written.length - 1;
    [...this.part.writes.children].forEach((word, k) => {
      word.hidden = k > t;
      word.classList.toggle("now", k === t && !over);
    });
    [...this.part.reads.children].forEach((word, k) => {
      const weight = over ? 0 : this.found.weights[t][k];
      word.style.borderBottomColor = weight > 0.02 ? `rgb(255 138 61 / ${Math.min(1, weight)})` : "transparent";
      word.classList.toggle("seen", weight > 0.3);
    });
    this.#redraw();
  }

  #redraw() {
    if (!this.found) return;
    const style = getComputedStyle(document.documentElement);
    const get = (name) => style.getPropertyValue(`--${name}`).trim();
    const theme = { ink: get("ink"), quiet: get("quiet"), faint: get("faint"), gaze: get("gaze"), attention: get("gaze-text"), belief: get("belief"), sans: get("sans") };
    draw(this.part.matrix, this.found, this.at ?? 0, theme);
  }
}

/** Words as elements, with a space before each that needs one. */
function spaced(words) {
  return words.map((word, k) => h("span", {}, k && !/^[.,;:!?)]/.test(word) ? ` ${word}` : word));
}

/** A sentence as one word of a shell's command line. */
function quoted(sentence) {
  return `'${sentence.replaceAll("'", "'\\''")}'`;
}
