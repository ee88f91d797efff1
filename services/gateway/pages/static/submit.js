// The submission form: drop a file, check it, watch it go up. What the server answers is a page, of
// which the part that matters here is taken over; so everything works without this script, too.
"use strict";

(() => {
  const form = document.getElementById("submission");
  const file = document.getElementById("file");
  const drop = document.getElementById("drop");
  const chosen = document.getElementById("chosen");
  const outcome = document.getElementById("outcome");
  const upload = document.getElementById("upload");
  const bar = document.getElementById("bar");
  const barText = document.getElementById("bar-text");
  const buttons = [document.getElementById("check"), document.getElementById("send")];
  let key = crypto.randomUUID?.() ?? String(Math.random()).slice(2);

  // ---- the file

  const size = (bytes) =>
    bytes < 1e6 ? `${Math.max(1, Math.round(bytes / 1e3))} kB` : `${(bytes / 1e6).toFixed(1)} MB`;
  const showFile = () => {
    const picked = file.files[0];
    const most = file.dataset.most;
    const tooLarge = picked?.size > most * 2 ** 20;
    const why = tooLarge ? `A file may have ${most} MiB. Keep only id, qa_type and prediction.` : "";
    chosen.hidden = !picked;
    chosen.textContent = picked ? `${picked.name} · ${size(picked.size)}${why && `. ${why}`}` : "";
    chosen.classList.toggle("bad", tooLarge);
    file.setCustomValidity(why);
    for (const button of buttons) button.disabled = tooLarge;
  };
  file.addEventListener("change", showFile);
  for (const name of ["dragenter", "dragover"]) {
    drop.addEventListener(name, (event) => {
      event.preventDefault();
      drop.classList.add("over");
    });
  }
  for (const name of ["dragleave", "drop"]) {
    drop.addEventListener(name, () => drop.classList.remove("over"));
  }
  drop.addEventListener("drop", (event) => {
    event.preventDefault();
    if (!event.dataTransfer?.files.length) return;
    file.files = event.dataTransfer.files;
    showFile();
  });
  showFile();

  // ---- sending

  const say = (title, text) => {
    const notice = document.createElement("section");
    notice.className = "notice bad";
    const heading = notice.appendChild(document.createElement("h2"));
    heading.textContent = title;
    notice.appendChild(document.createElement("p")).textContent = text;
    outcome.replaceChildren(notice);
  };

  const show = (page) => {
    const news = page.getElementById("outcome");
    if (news) {
      outcome.replaceChildren(...[...news.childNodes].map((node) => document.adoptNode(node)));
    } else {
      const reason = page.querySelector(".oops .lead")?.textContent.trim();
      say("That did not work", reason || "Something failed. Try again in a moment.");
    }
    const bad = new Set([...outcome.querySelectorAll("[data-field]")].map((item) => item.dataset.field));
    for (const input of form.querySelectorAll(".field :is(input, select, textarea)[name]")) {
      input.toggleAttribute("aria-invalid", bad.has(input.name));
      if (bad.has(input.name)) input.setAttribute("aria-invalid", "true");
    }
    outcome.focus({ preventScroll: true });
    outcome.scrollIntoView({ block: "nearest" });
  };

  const accepted = (receipt) => {
    const { id, page, token, name } = receipt.dataset;
    const kept = ownTokens.keep(id, token, name);
    location.assign(kept ? page : `${page}#token=${token}`);
  };

  const send = (address, fields) => {
    const request = new XMLHttpRequest();
    request.open("POST", address);
    // A new version needs the owner token of the one before, which this browser may keep.
    const secret = document.getElementById("api-key").value.trim() || ownTokens.of(form.elements.replaces?.value);
    if (secret) request.setRequestHeader("Authorization", `Bearer ${secret}`);
    request.setRequestHeader("Idempotency-Key", key);
    request.upload.addEventListener("progress", (event) => {
      bar.value = event.loaded / event.total;
      const done = event.loaded >= event.total;
      barText.textContent = done ? "Checking…" : `${Math.floor(100 * bar.value)} % of ${size(event.total)}`;
    });
    const end = () => {
      upload.hidden = true;
      for (const button of buttons) button.disabled = false;
    };
    request.addEventListener("load", () => {
      const page = new DOMParser().parseFromString(request.responseText, "text/html");
      const receipt = page.getElementById("receipt");
      if (receipt) {
        accepted(receipt);
        return;
      }
      end();
      // Refused: the next try is another request.
      key = crypto.randomUUID?.() ?? String(Math.random()).slice(2);
      show(page);
    });
    request.addEventListener("error", () => {
      end();
      say("The connection broke", "Nothing was lost: send it again, it will be counted once.");
      outcome.focus();
    });
    bar.value = 0;
    barText.textContent = "";
    upload.hidden = false;
    for (const button of buttons) button.disabled = true;
    request.send(fields);
  };

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const check = event.submitter?.id === "check";
    if (check && !file.files.length) {
      file.reportValidity();
      return;
    }
    send(check ? event.submitter.formAction : form.action, new FormData(form));
  });

  // ---- what this browser submitted

  const mine = document.getElementById("mine");
  const kept = ownTokens.all();
  mine.hidden = kept.length === 0;
  for (const each of kept) {
    const item = mine.querySelector("ul").appendChild(document.createElement("li"));
    const link = item.appendChild(document.createElement("a"));
    link.href = mine.dataset.page.replace("ID", encodeURIComponent(each.id));
    link.textContent = each.name || each.id;
    const day = new Date(each.at);
    item.appendChild(document.createElement("span")).textContent = Number.isNaN(day.valueOf())
      ? ""
      : day.toLocaleString("en-GB", { dateStyle: "medium", timeStyle: "short" });
  }
})();
