// Shows calls that ring, how a call goes that was placed from this page, and how much is to be done, on every page. Text from outside is only ever text: nothing here reads HTML.
(function () {
  "use strict";
  const place = document.getElementById("ringing");
  if (!place) return;
  const list = place.querySelector("ul");
  const told = place.querySelector("[aria-live]");
  const picture = place.querySelector("template");
  const title = document.title;
  const longest = 30000;
  let wait = 500;
  let again = 500;
  let mark = null;
  let timer = 0;
  let busy = false;

  function hidden() {
    try { return JSON.parse(sessionStorage.getItem("hidden-calls")) || []; } catch { return []; }
  }

  function hide(id) {
    try { sessionStorage.setItem("hidden-calls", JSON.stringify([...hidden(), id].slice(-50))); } catch { /* only this page, then */ }
    list.querySelector('[data-id="' + id + '"]')?.remove();
    settle();
  }

  function card(ring) {
    const made = picture.content.firstElementChild.cloneNode(true);
    made.dataset.id = ring.id;
    made.querySelector(".hide").addEventListener("click", () => hide(ring.id));
    return made;
  }

  function fill(made, ring) {
    const said = JSON.stringify(ring);
    if (made.dataset.said === said) return;
    made.dataset.said = said;
    made.classList.toggle("mine", ring.mine);
    made.querySelector(".title").textContent = ring.title;
    made.querySelector(".from").textContent = [ring.number, ring.line].filter(Boolean).join(" · ");
    made.querySelector(".notes").replaceChildren(...ring.notes.map((note) => {
      const line = document.createElement("li");
      line.textContent = note;
      return line;
    }));
    const open = made.querySelector("a.open");
    open.hidden = !ring.open;
    if (ring.open) {
      open.href = ring.open;
      open.textContent = ring.open.startsWith("/leads/") ? "Open the lead" : "Open";
    }
    const take = made.querySelector("form");
    take.hidden = !ring.take;
    if (ring.take) take.action = ring.take;
  }

  function settle() {
    const some = list.children.length > 0;
    list.hidden = !some;
    document.title = some ? "☎ " + list.querySelector(".title").textContent : title;
  }

  function show(rings) {
    const away = hidden();
    const wanted = rings.filter((ring) => !away.includes(ring.id));
    for (const made of [...list.children]) {
      if (!wanted.some((ring) => String(ring.id) === made.dataset.id)) made.remove();
    }
    for (const ring of wanted) {
      let made = list.querySelector('[data-id="' + ring.id + '"]');
      if (!made) {
        made = card(ring);
        list.append(made);
        told.textContent = "Call from " + ring.title;
      }
      fill(made, ring);
    }
    settle();
  }

  function count(counters) {
    for (const badge of document.querySelectorAll("[data-count]")) {
      const number = counters[badge.dataset.count] || 0;
      badge.hidden = !number;
      badge.textContent = number > 999 ? "999+" : number;
      badge.setAttribute("aria-label", number + " " + badge.title);
    }
  }

  function goOn(placed) {
    const line = document.querySelector("[data-call]");
    const now = line && placed.find((one) => String(one.call) === line.dataset.call);
    if (!now) return;
    const [who, said] = line.querySelectorAll("strong, span");
    if (who.textContent !== now.who) who.textContent = now.who;
    if (said.textContent !== now.words) said.textContent = now.words;
    for (const form of document.querySelectorAll("#calling [data-when]")) form.hidden = !now[form.dataset.when];
  }

  async function ask() {
    clearTimeout(timer);
    if (busy) return;
    busy = true;
    let next = wait;
    try {
      const answer = await fetch(place.dataset.url, {
        cache: "no-store", credentials: "same-origin", redirect: "error", signal: AbortSignal.timeout(10000),
        headers: mark ? { "If-None-Match": mark } : {},
      });
      if (answer.status === 401) { show([]); return; }
      if (answer.status !== 304) { // else nothing is new
        if (!answer.ok) throw new Error(answer.status);
        const said = await answer.json();
        show(said.rings);
        goOn(said.placed);
        count(said.counters);
        again = said.again;
        mark = answer.headers.get("ETag");
      }
      wait = next = again;
    } catch {
      // Whatever is wrong there, more requests would not mend it.
      wait = next = Math.min(wait * 2, longest);
    } finally {
      busy = false;
    }
    timer = setTimeout(ask, document.hidden ? Math.max(next, 3000) : next);
  }

  document.addEventListener("visibilitychange", () => { if (!document.hidden) ask(); });
  ask();
})();
