"use strict";
// on paper nothing is folded away
{
  let folded = [];
  addEventListener("beforeprint", () => {
    folded = [...document.querySelectorAll("details:not([open])")];
    for (const part of folded) part.open = true;
  });
  addEventListener("afterprint", () => { for (const part of folded) part.open = false; });
}
// what is wider than its place can be moved with the keyboard too
{
  const places = document.querySelectorAll("figure, pre");
  const reach = () => { for (const place of places) place.toggleAttribute("tabindex", false); for (const place of places) if (place.scrollWidth > place.clientWidth) place.tabIndex = 0; };
  addEventListener("load", reach);
  addEventListener("resize", reach);
  addEventListener("toggle", reach, true); // a part was folded or unfolded
}
