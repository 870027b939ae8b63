// Runs once in the page for each box of controls (`this` is inside it). ipywidgets gives its sliders no names, and those over a list
// announce a position in place of a value; JupyterLab takes the arrow keys from a quiz. All of this is a matter of attributes.
((inside) => {
  const name = (handle, row) => {
    const label = row.querySelector(".widget-label, .jupyter-widgets-label"), readout = row.querySelector(".widget-readout");
    if (label) handle.setAttribute("aria-label", label.textContent);
    const tell = () => {
      if (readout && readout.textContent && handle.getAttribute("aria-valuetext") !== readout.textContent)
        handle.setAttribute("aria-valuetext", readout.textContent);
    };
    tell();
    if (readout) {
      readout.setAttribute("aria-label", label ? label.textContent : "value");
      new MutationObserver(tell).observe(readout, { childList: true, characterData: true, subtree: true });
    }
    new MutationObserver(tell).observe(handle, { attributeFilter: ["aria-valuetext"] });
  };
  const attempt = (left) => {
    const box = inside.closest(".diffusion-box");
    if (box) {
      for (const handle of box.querySelectorAll("[role=slider]:not([aria-label]), .ui-slider-handle:not([aria-label])"))
        name(handle, handle.closest(".widget-inline-hbox, .widget-hbox"));
      const rich = box.querySelectorAll(".diffusion-options > span");
      for (const group of box.querySelectorAll(".widget-radio-box:not([role])")) {
        const labels = group.querySelectorAll("label");
        if (labels.length < rich.length) continue;
        group.setAttribute("role", "radiogroup");
        group.setAttribute("aria-label", "Options");
        const shared = "diffusion-" + Math.random();  // arrow keys move within radio buttons of one name
        for (const input of group.querySelectorAll("input")) {
          input.name = shared;
          input.setAttribute("data-lm-suppress-shortcuts", "true");  // or JupyterLab goes to the next cell
        }
        rich.forEach((option, k) => labels[k].firstChild.replaceWith(option.cloneNode(true)));
      }
    }
    if (left) setTimeout(() => attempt(left - 1), 200);  // the parts of a box arrive one by one
  };
  attempt(25);
})(this);
