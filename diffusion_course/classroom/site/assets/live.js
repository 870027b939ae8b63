// Sliders and quizzes of a page that has no kernel. Each slider's pictures are files; its settings are in the JSON beside it.
(() => {
  const slider = (box) => {
    const facts = JSON.parse(box.querySelector("script[type='application/json']").textContent);
    const image = box.querySelector("img"), told = box.querySelector(".told");
    const inputs = [...box.querySelectorAll("input, select")];
    const at = () => inputs.map((input) => (input.tagName === "SELECT" ? input.selectedIndex : Number(input.value)));
    const acts = (k, places) =>
      Object.entries(facts.controls[k].matters).every(([other, wanted]) => wanted.includes(places[other]));
    const loaded = [];
    const load = () => {
      // All of them before the first move, so that none is waited for.
      if (!loaded.length) for (const file of facts.files) loaded.push(Object.assign(new Image(), { src: file }));
    };
    const show = () => {
      const places = at();
      let frame = 0;
      facts.controls.forEach((control, k) => {
        frame = frame * control.values.length + places[k];
        const output = box.querySelector(`output[for="${inputs[k].id}"]`);
        inputs[k].disabled = !acts(k, places);
        if (output) {
          output.textContent = control.values[places[k]];
          inputs[k].setAttribute("aria-valuetext", control.values[places[k]]);
        }
      });
      const setting = facts.controls
        .map((control, k) => (acts(k, places) ? `${control.label} = ${control.values[places[k]]}` : ""))
        .filter(Boolean)
        .join(", ");
      const number = facts.frames[facts.frames.length > frame ? frame : 0];
      const words = `${facts.description}: ${setting}`;
      told.textContent = number < 0 ? `${words}. This setting cannot be drawn; the picture is an older one.` : words;
      if (number >= 0) {
        image.src = facts.files[number];
        image.alt = words;
      }
    };
    for (const input of inputs) input.addEventListener("input", () => (load(), show()));
    for (const event of ["pointerenter", "focusin"]) box.addEventListener(event, load);
    const play = box.querySelector(".play");
    if (play) film(play, inputs[0], facts.interval, load);
    box.querySelector(".controls").hidden = false;
    show();
  };

  const film = (play, input, interval, load) => {
    let timer = 0;
    const stop = () => {
      clearInterval(timer);
      timer = 0;
      play.textContent = "Play";
    };
    const step = () => {
      if (input.value === input.max) return stop();
      input.value = Number(input.value) + 1;
      input.dispatchEvent(new Event("input"));
    };
    play.addEventListener("click", () => {
      if (timer) return stop();
      load();
      if (input.value === input.max) input.value = -1;
      play.textContent = "Pause";
      timer = setInterval(step, interval);
    });
  };

  const quiz = (form) => {
    const bytes = Uint8Array.from(atob(form.dataset.sealed), (letter) => letter.charCodeAt(0));
    const { right, verdicts } = JSON.parse(new TextDecoder().decode(bytes));
    const verdict = form.querySelector(".verdict");
    let wrong = 0;
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const chosen = new FormData(form).values().next().value;
      if (!chosen) {
        verdict.textContent = "Choose an option first.";
        return;
      }
      if (chosen !== right) wrong += 1;
      verdict.className = `verdict ${chosen === right ? "right" : "wrong"}`;
      verdict.innerHTML = verdicts[chosen][wrong < 2 ? 0 : 1];
    });
  };

  // No line begins with the comma after a formula, or ends with the bracket before it.
  const join = () => {
    for (const formula of document.querySelectorAll("article span.math")) {
      const [before, after] = [formula.previousSibling, formula.nextSibling];
      const lead = (before?.nodeType === Node.TEXT_NODE && before.data.match(/[([“]+$/)?.[0]) || "";
      const tail = (after?.nodeType === Node.TEXT_NODE && after.data.match(/^\S{1,8}/)?.[0]) || "";
      if (!lead && !tail) continue;
      const together = Object.assign(document.createElement("span"), { className: "together" });
      formula.replaceWith(together);
      together.append(lead, formula, tail);
      if (lead) before.data = before.data.slice(0, -lead.length);
      if (tail) after.data = after.data.slice(tail.length);
    }
  };

  // A formula in a line that is wider than the page scrolls in a place of its own; what scrolls sideways must be reached by keyboard too.
  const reachable = () => {
    for (const formula of document.querySelectorAll("span.math")) {
      const width = formula.closest("p, li, h1, h2, h3, h4")?.clientWidth;
      if (width && formula.querySelector("svg")?.getBoundingClientRect().width + 20 > width) formula.classList.add("wide");
    }
    const wide = ".highlight pre, .output, .math, .table-wrapper, .cell_output table";
    for (const part of document.querySelectorAll(wide)) {
      if (part.scrollWidth > part.clientWidth) part.tabIndex = 0;
      else part.removeAttribute("tabindex");
    }
  };

  document.addEventListener("DOMContentLoaded", () => {
    // Sphinx calls the titles of its lists headings and does not say of which level.
    for (const title of document.querySelectorAll("p.caption[role=heading]")) title.setAttribute("aria-level", "2");
    document.querySelectorAll("div.live").forEach(slider);
    document.querySelectorAll("form.quiz").forEach(quiz);
  });
  window.addEventListener("load", () => (window.MathJax?.startup?.promise ?? Promise.resolve()).then(join).then(reachable));
  window.addEventListener("resize", reachable);
})();
