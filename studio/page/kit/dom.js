// Small helpers for elements.

/** Make an element: h("p", {class: "x", onclick: f}, "text", child). */
export function h(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (value === true) made.setAttribute(name, "");
    else if (value !== false && value != null) made.setAttribute(name, value);
  }
  made.append(...children.flat().filter((child) => child != null));
  return made;
}

/** Find the elements that carry data-part, by its value. */
export function parts(root) {
  return Object.fromEntries([...root.querySelectorAll("[data-part]")].map((one) => [one.dataset.part, one]));
}

/** Return a number of CSS colour variables of the page, as they are now. */
export function colours() {
  const style = getComputedStyle(document.documentElement);
  const get = (name) => style.getPropertyValue(`--${name}`).trim();
  return { stage: get("stage"), ink: get("stage-ink"), gaze: get("gaze"), belief: get("belief"), quiet: get("quiet") };
}

/** Give a canvas as many pixels as the screen shows it with; return its context and its side in CSS pixels. */
export function sharp(canvas) {
  const ratio = devicePixelRatio || 1;
  const width = canvas.clientWidth || 1;
  const height = canvas.clientHeight || 1;
  if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
  }
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  return { context, width, height };
}

/** Run the latest of several wishes: while one runs, only the last that comes in is kept. */
export function latest(run) {
  let running = false;
  let next = null;
  return async function wish(...wanted) {
    next = wanted;
    if (running) return;
    running = true;
    try {
      while (next) {
        const now = next;
        next = null;
        await run(...now);
      }
    } finally {
      running = false;
    }
  };
}

/** Tell if the user asked for little motion. */
export const calm = () => matchMedia("(prefers-reduced-motion: reduce)").matches;

/** Copy buttons for command lines: every element .command gets one. */
export function copyable(root, say) {
  for (const line of root.querySelectorAll(".command")) {
    const code = line.querySelector("code");
    line.append(
      h("button", {
        type: "button", class: "quiet small", "aria-label": "Copy the command",
        onclick: async () => {
          try {
            await navigator.clipboard.writeText(code.textContent);
            say("Copied.");
          } catch {
            getSelection().selectAllChildren(code);
            say("Selected: copy it with the keyboard.");
          }
        },
      }, "Copy"),
    );
  }
}
