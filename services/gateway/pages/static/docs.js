// The pages about the API: the site's own address in the examples, and "Try it" for what reads.
"use strict";

(() => {
  const LONGEST = 20000;
  const site = document.documentElement.dataset.site.replace(/\/$/, "");
  for (const each of document.querySelectorAll("[data-site-here]")) each.textContent = location.origin + site;

  const make = (name, facts = {}, ...inside) => {
    const made = Object.assign(document.createElement(name), facts);
    made.append(...inside);
    return made;
  };

  // A field for each parameter of the path and the query, as the table of parameters names them.
  const fieldOf = (row) => {
    const input = make("input", { name: row.dataset.name, autocomplete: "off", spellcheck: false });
    input.required = row.querySelector(".optional") === null;
    input.dataset.place = row.dataset.place;
    const known = row.querySelector("td:nth-of-type(2) code");
    if (known && input.required) input.value = known.textContent;
    return make("label", {}, make("span", { textContent: row.dataset.name }), input);
  };

  const addressOf = (path, form) => {
    const query = new URLSearchParams();
    for (const { name, value, dataset } of form.querySelectorAll("[data-place]")) {
      if (dataset.place === "path") path = path.replace(`{${name}}`, encodeURIComponent(value));
      else if (value) query.set(name, value);
    }
    return site + path + (query.size ? `?${query}` : "");
  };

  // Streams never end by themselves, and boards are long: what comes is shown up to a length.
  const show = async (response, shown) => {
    const decoder = new TextDecoder();
    let text = "";
    let whole = true;
    for (let reader = response.body.getReader(); ; ) {
      const { done, value } = await reader.read();
      if (done) break;
      text += decoder.decode(value, { stream: true });
      shown.textContent = text.slice(0, LONGEST);
      if (text.length > LONGEST) {
        whole = false;
        await reader.cancel();
        break;
      }
    }
    if (whole && /json/.test(response.headers.get("Content-Type"))) {
      shown.textContent = JSON.stringify(JSON.parse(text), null, 2).slice(0, LONGEST);
    }
    return whole;
  };

  const begin = (operation) => {
    const path = operation.querySelector(".path").textContent;
    const rows = operation.querySelectorAll('tr[data-place="path"], tr[data-place="query"]');
    const form = make("form", { className: "try" }, ...[...rows].map(fieldOf));
    const token = make("input", { type: "password", autocomplete: "off" });
    if (operation.dataset.try === "a token") {
      form.append(make("label", {}, make("span", { textContent: "Token or key" }), token));
    }
    const send = make("button", { className: "button", textContent: "Send" });
    const stop = make("button", { className: "button", type: "button", textContent: "Stop", hidden: true });
    const said = make("p", { className: "said" });
    said.setAttribute("role", "status");
    const shown = make("pre", { tabIndex: 0, hidden: true });
    shown.setAttribute("aria-label", "The answer");
    form.append(make("div", { className: "ways" }, send, stop), said, shown);
    let running = null;
    stop.addEventListener("click", () => running.abort());
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      running?.abort();
      const own = (running = new AbortController());
      const headers = token.value ? { Authorization: `Bearer ${token.value}` } : {};
      [stop.hidden, shown.hidden, shown.textContent, said.textContent] = [false, true, "", "Sent."];
      try {
        const response = await fetch(addressOf(path, form), { headers, signal: own.signal, credentials: "omit", cache: "no-store" });
        const head = `${response.status} ${response.headers.get("Content-Type") ?? ""}`;
        said.textContent = head;
        shown.hidden = false;
        if (!(await show(response, shown))) said.textContent = `${head}, the first ${LONGEST.toLocaleString("en")} characters`;
      } catch (error) {
        if (own === running) said.textContent = own.signal.aborted ? `${said.textContent}, stopped` : `The site cannot be reached: ${error.message}`;
      }
      if (own === running) stop.hidden = true;
    });
    operation.querySelector(".inside").append(make("h4", { textContent: "Try it" }), form);
  };

  for (const operation of document.querySelectorAll("details[data-try]")) {
    operation.addEventListener("toggle", () => begin(operation), { once: true });
  }
})();
