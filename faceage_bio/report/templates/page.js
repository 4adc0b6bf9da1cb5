"use strict";
// volcano plots: drawn once their place is near the screen
for (const script of document.querySelectorAll("script.spec")) {
  const place = document.getElementById(script.dataset.for);
  const draw = () => vegaEmbed(place, JSON.parse(script.textContent), { actions: false, renderer: "svg" });
  new IntersectionObserver((entries, observer) => {
    if (entries.some((entry) => entry.isIntersecting)) { observer.disconnect(); draw(); }
  }, { rootMargin: "600px" }).observe(place);
}
// gene search
for (const field of document.querySelectorAll("input.find")) {
  const rows = [...document.getElementById(field.dataset.table).tBodies[0].rows];
  const found = field.closest("details").querySelector(".found");
  field.addEventListener("input", () => {
    const wanted = field.value.trim().toLowerCase();
    let n = 0;
    for (const row of rows) {
      const match = row.cells[0].textContent.toLowerCase().includes(wanted);
      row.hidden = !match;
      n += match;
    }
    found.textContent = wanted ? n + " of " + rows.length : "";
  });
}
