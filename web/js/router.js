/**
 * Paths to rooms and back, by the History API. Promises that every view has an address that survives a reload.
 * Leaves what is shown to mail-app.
 */

import { PAGES } from "/web/js/pages.js";

/** `/inboxes/:id` as a pattern. */
const pattern = (path) => new RegExp(`^${path.replaceAll(/:(\w+)/g, "(?<$1>[^/]+)")}$`);
const ROUTES = [["conversations", /^\/$/], ["conversation", pattern("/c/:id")], ["sign-in", /^\/sign-in$/], ...PAGES.map((page) => [page.name, pattern(page.path)])];

export function match(path) {
  for (const [name, route] of ROUTES) {
    const found = route.exec(path);
    if (found) return { name, params: { ...found.groups } };
  }
  return { name: "nowhere", params: {} };
}

/** Dispatches `change` after each move. `current` is `{name, params, query, path}`. */
class Router extends EventTarget {
  current = { name: "nowhere", params: {}, query: new URLSearchParams(), path: "/" };

  start() {
    addEventListener("popstate", () => this.#read());
    document.addEventListener("click", (event) => this.#followed(event));
    this.#read();
  }

  go(path) {
    if (path === location.pathname + location.search) return;
    history.pushState(null, "", path);
    this.#read();
  }

  replace(path) {
    history.replaceState(null, "", path);
    this.#read();
  }

  /** Takes the query out of the address, for what is to be said once. */
  forgetQuery() {
    history.replaceState(history.state, "", location.pathname);
  }

  /** The present path with the list's own query (view, inbox, search) carried along. */
  withList(path) {
    const query = location.search;
    return path + query;
  }

  #read() {
    const { name, params } = match(location.pathname);
    const path = location.pathname + location.search;
    this.current = { name, params, query: new URLSearchParams(location.search), path };
    this.dispatchEvent(new CustomEvent("change", { detail: this.current }));
  }

  #followed(event) {
    if (event.defaultPrevented || event.button !== 0) return;
    if (event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    const link = event.target instanceof Element ? event.target.closest("a[href]") : null;
    if (!link || link.target || link.hasAttribute("download") || link.origin !== location.origin) return;
    if (link.pathname.startsWith("/v1/") || link.pathname.startsWith("/web/")) return;
    if (match(link.pathname).name === "nowhere") return;
    event.preventDefault();
    this.go(link.pathname + link.search);
  }
}

export const router = new Router();
