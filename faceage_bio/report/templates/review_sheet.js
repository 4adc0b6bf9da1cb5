"use strict";
const sheet = document.body.dataset.sheet;
const store = "review-sheet-" + sheet;  // numbers and answers only
const photos = [...document.querySelectorAll(".photo")];
const reviewer = document.getElementById("reviewer");
const said = document.getElementById("said");
let saved = true;

const radio = (photo, value) => photo.querySelector('input[value="' + value + '"]');
const chosen = (photo) => (photo.querySelector("input:checked") || { value: "" }).value;
const reason = (photo) => photo.querySelector("select");
const decided = (photo) => chosen(photo) !== "" && (chosen(photo) !== "exclude" || reason(photo).value !== "");

function refresh(photo) {
  const out = chosen(photo) === "exclude";
  reason(photo).disabled = !out;
  if (!out) reason(photo).value = "";
  photo.classList.toggle("decided", decided(photo));
  photo.classList.toggle("needs", out && !decided(photo));
}

function count() {
  document.getElementById("done").textContent = photos.filter(decided).length + " of " + photos.length + " decided";
}

function keep() {
  saved = false;
  count();
  const answers = photos.map((photo) => [photo.dataset.number, chosen(photo), reason(photo).value]);
  try { localStorage.setItem(store, JSON.stringify({ reviewer: reviewer.value, answers })); } catch { /* a browser that keeps nothing */ }
}

function restore() {
  let kept = null;
  try { kept = JSON.parse(localStorage.getItem(store)); } catch { /* as above */ }
  if (kept) {
    reviewer.value = kept.reviewer;
    for (const [number, decision, why] of kept.answers) {
      const photo = document.getElementById("p" + number);
      if (decision) radio(photo, decision).checked = true;
      reason(photo).value = why;
      refresh(photo);
    }
  }
  count();
}

function go(place) {
  const photo = photos[Math.min(Math.max(place, 0), photos.length - 1)];
  photo.focus({ preventScroll: true });
  photo.scrollIntoView({ block: "center" });
}

function answer(photo, decision, why) {
  radio(photo, decision).checked = true;
  refresh(photo);
  if (why) reason(photo).value = why;
  refresh(photo);
  keep();
  go(photos.indexOf(photo) + 1);
}

document.addEventListener("change", (event) => {
  const photo = event.target.closest(".photo");
  if (photo) refresh(photo);
  if (photo || event.target === reviewer) keep();
});

document.addEventListener("keydown", (event) => {
  if (event.target === reviewer || event.target.tagName === "SELECT" || event.ctrlKey || event.metaKey || event.altKey) return;
  const here = photos.indexOf(document.activeElement.closest(".photo"));
  const key = event.key.toLowerCase();
  const digit = [..."1234567890"].indexOf(key);
  if (key === "j") go(here + 1);
  else if (key === "k") go(here - 1);
  else if (here >= 0 && key === "u") answer(photos[here], "use", "");
  else if (here >= 0 && key === "n") answer(photos[here], "unsure", "");
  else if (here >= 0 && digit >= 0) answer(photos[here], "exclude", reason(photos[here]).options[digit + 1].value);
  else return;
  event.preventDefault();
});

document.getElementById("next").addEventListener("click", () => {
  const open = photos.findIndex((photo) => !decided(photo));
  if (open < 0) said.textContent = "All photos are decided. Save the decisions.";
  else go(open);
});

document.getElementById("bar").addEventListener("submit", (event) => {
  event.preventDefault();
  const name = reviewer.value.replace(/\s+/g, " ").trim();
  reviewer.setAttribute("aria-invalid", String(!name));
  if (!name) {
    said.textContent = "First say who you are: your initials are enough.";
    reviewer.focus();
    return;
  }
  const rows = photos.map((photo) => decided(photo)
    ? [sheet, photo.dataset.number, chosen(photo), reason(photo).value, name]
    : [sheet, photo.dataset.number, "", "", name]);
  const text = [["sheet", "photo", "decision", "reason", "reviewer"], ...rows].map((row) => row.join("\t")).join("\n") + "\n";
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type: "text/tab-separated-values" }));
  link.download = "review_" + sheet + "_" + name.replace(/[^A-Za-z0-9]+/g, "-") + ".tsv";
  link.click();
  URL.revokeObjectURL(link.href);
  saved = true;
  const open = photos.filter((photo) => !decided(photo)).length;
  said.textContent = link.download + " saved" + (open ? ", with " + open + " photos still undecided." : ". You can close this page.");
});

window.addEventListener("beforeunload", (event) => { if (!saved) event.preventDefault(); });
restore();
