// The studio: its menu, its theme, and the panel that is open. It knows no system by name; studio.json lists the panels.

import { h } from "./kit/dom.js";

const status = document.getElementById("status");

/** Show a sentence at the foot of the page; an empty one hides it. */
function say(text, isFault = false) {
  status.textContent = text;
  status.hidden = !text;
  status.classList.toggle("fault", isFault);
}

function chooseTheme(theme) {
  document.documentElement.dataset.theme = theme;
  const other = theme === "dark" ? "light" : "dark";
  const button = document.getElementById("theme");
  button.querySelector(".word").textContent = other === "dark" ? "Dark" : "Light";
  button.setAttribute("aria-label", `Switch to ${other} colours`);
  button.onclick = () => {
    chooseTheme(other);
    window.dispatchEvent(new Event("studio-theme"));
  };
}

const wanted = new URLSearchParams(location.search).get("theme");
chooseTheme(wanted ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light"));

const menu = await (await fetch("studio.json")).json();
const { openEngine } = await import(menu.live ? "./kit/talk.js" : "./kit/still.js");
const engine = openEngine(say);
document.getElementById("where").textContent = menu.live
  ? "Python answers this page, on this machine."
  : "This page computes everything itself: no server, no Python.";

const main = document.getElementById("panel");
const opened = new Map(); // name -> {root, panel}
let current = null;

const links = new Map(
  menu.panels.map((panel) => [
    panel.name,
    h("a", { href: `#${panel.name}`, class: "tab" }, panel.title),
  ]),
);
document.getElementById("menu").append(...links.values());

async function open(entry) {
  const base = new URL(`panels/${entry.name}/`, document.baseURI);
  const root = h("article", { class: `panel panel-${entry.name}`, "aria-labelledby": `title-${entry.name}` });
  root.append(
    h("header", { class: "lead" }, h("h1", { id: `title-${entry.name}` }, entry.title), h("p", {}, entry.about)),
  );
  const styled = entry.style
    ? new Promise((resolve) => {
        document.head.append(h("link", { rel: "stylesheet", href: `${base}panel.css`, onload: resolve, onerror: resolve }));
      })
    : null;
  const [markup, module] = await Promise.all([
    fetch(new URL("panel.html", base)).then((answer) => answer.text()),
    import(new URL("panel.js", base)),
    styled,
  ]);
  const body = h("div", { class: "body" });
  body.innerHTML = markup; // the panel's own file, part of its package
  root.append(body);
  const studio = {
    say,
    live: menu.live,
    base,
    networks: entry.networks,
    facts: () => engine.facts(entry.name),
    ask: (what, request, signal) => engine.ask(entry.name, what, request, signal),
  };
  main.append(root);
  const panel = (await module.mount(body, studio)) ?? {};
  return { root, panel };
}

async function show() {
  const name = location.hash.slice(1);
  const entry = menu.panels.find((one) => one.name === name) ?? menu.panels[0];
  if (!entry || entry.name === current) return;
  current = entry.name;
  for (const [other, link] of links) {
    if (other === entry.name) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  document.title = `${entry.title} · Saccade studio`;
  say("");
  for (const { root, panel } of opened.values()) {
    root.hidden = true;
    panel.leave?.();
  }
  try {
    if (!opened.has(entry.name)) opened.set(entry.name, await open(entry));
    if (current !== entry.name) {
      opened.get(entry.name).root.hidden = true;
      return;
    }
    const { root, panel } = opened.get(entry.name);
    root.hidden = false;
    panel.enter?.();
    document.documentElement.dataset.ready = entry.name;
  } catch (error) {
    say(`${entry.title} could not be opened: ${error.message}`, true);
  }
}

addEventListener("hashchange", show);
await show();
