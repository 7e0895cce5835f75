// Time: a position t among steps that may still be coming in; play, pause, step, slower or faster.

import { calm, h } from "./dom.js";

export class Player {
  /**
   * @param {HTMLElement} root gets the buttons and the slider.
   * @param {{seconds: number, show: (t: number, moving: boolean) => void, unit: string}} options seconds a step, at
   *   normal speed; show draws the moment t, which has a fraction while it moves.
   */
  constructor(root, { seconds, show, unit, glides = true }) {
    Object.assign(this, { seconds, show, unit, glides, t: 0, count: 0, total: 0, playing: false, speed: 1 });
    this.first = h("button", { type: "button", class: "round", "aria-label": `One ${unit} back`, onclick: () => this.step(-1) }, "‹");
    this.toggle = h("button", { type: "button", class: "round strong", onclick: () => (this.playing ? this.pause() : this.play()) });
    this.next = h("button", { type: "button", class: "round", "aria-label": `One ${unit} on`, onclick: () => this.step(1) }, "›");
    this.slider = h("input", {
      type: "range", min: 0, max: 0, step: 1, value: 0, "aria-label": `Go to a ${unit}`,
      oninput: () => this.go(Number(this.slider.value)),
    });
    this.text = h("output", { class: "count" });
    this.pace = h(
      "select", { "aria-label": "Speed", onchange: () => { this.speed = Number(this.pace.value); } },
      h("option", { value: 0.25 }, "slow"), h("option", { value: 1, selected: true }, "normal"), h("option", { value: 3 }, "fast"),
    );
    root.classList.add("player");
    root.append(this.first, this.toggle, this.next, this.slider, this.text, this.pace);
    this.#look();
  }

  /** Begin with steps that will come in: `total` in all. */
  begin(total, playing = true) {
    Object.assign(this, { t: 0, count: 0, total, playing: false, wanted: playing });
    this.#look();
  }

  /** Say that steps 0 to count - 1 are there. */
  arrived(count) {
    const isFirst = this.count === 0;
    this.count = count;
    if (isFirst) {
      this.show(this.t, false);
      if (this.wanted) this.play(this.t < this.total - 1);
    }
    this.#look();
  }

  /** The same number of steps with other content. */
  changed() {
    if (this.count) this.show(Math.min(this.t, this.count - 1), false);
    this.#look();
  }

  play() {
    if (!this.total) return;
    if (this.t >= this.total - 1) this.t = 0;
    this.playing = true;
    this.last = performance.now();
    this.held = 0;
    this.frame ??= requestAnimationFrame((now) => this.#tick(now));
    this.#look();
  }

  pause() {
    this.playing = false;
    this.t = Math.min(Math.round(this.t), Math.max(0, this.count - 1));
    if (this.count) this.show(this.t, false);
    this.#look();
  }

  step(by) {
    this.playing = false;
    this.go(Math.round(this.t) + by);
  }

  go(t) {
    this.playing = false;
    this.t = Math.min(Math.max(0, t), Math.max(0, this.count - 1));
    if (this.count) this.show(this.t, false);
    this.#look();
  }

  #tick(now) {
    this.frame = null;
    if (!this.playing) return;
    const passed = (Math.max(0, now - this.last) / 1000 / this.seconds) * this.speed;
    this.last = Math.max(now, this.last);
    const limit = Math.max(0, this.count - 1);
    if (this.glides && !calm()) this.t = Math.min(this.t + passed, limit);
    else {
      this.held += passed;
      const whole = Math.floor(this.held);
      this.held -= whole;
      this.t = Math.min(this.t + whole, limit);
    }
    if (this.count) this.show(this.t, true);
    if (this.t >= this.total - 1) {
      this.playing = false;
      this.t = this.total - 1;
      this.show(this.t, false);
    } else this.frame = requestAnimationFrame((later) => this.#tick(later));
    this.#look();
  }

  #look() {
    this.toggle.textContent = this.playing ? "❚❚" : "▶";
    this.toggle.setAttribute("aria-label", this.playing ? "Pause" : "Play");
    this.slider.max = Math.max(0, this.total - 1);
    this.slider.value = Math.round(this.t);
    const text = this.total ? `${this.unit} ${Math.round(this.t) + 1} of ${this.total}` : "";
    this.slider.setAttribute("aria-valuetext", text);
    this.text.textContent = text;
    for (const control of [this.first, this.toggle, this.next, this.slider]) control.disabled = !this.total;
  }
}
