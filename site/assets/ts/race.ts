// The two starts of the home page: "Run both" moves through them on the axis of time, saying what happens.
// Nothing moves by itself.
interface Race {
  lanes: { steps: { x: number; title: string }[] }[]; // place in percent and title of each step
  marks: number[]; // where each lane calls execve, percent
}

const duration = 9000; // ms

for (const figure of document.querySelectorAll<HTMLElement>(".race")) {
  const { lanes, marks } = JSON.parse(figure.querySelector("script")?.textContent ?? "{}") as Race;
  const button = figure.querySelector("button");
  const says = [...figure.querySelectorAll<HTMLElement>(".now")];
  const path = figure.querySelector(".join path");
  if (marks.length === 2) path?.setAttribute("d", `M${marks[0]} 0C${marks[0]} 5 ${marks[1]} 5 ${marks[1]} 10`);
  let frame = 0;
  const stop = () => {
    cancelAnimationFrame(frame);
    frame = 0;
    figure.style.removeProperty("--t");
    figure.classList.remove("running");
  };
  const draw = (x: number) => {
    figure.style.setProperty("--t", `${x}%`);
    lanes.forEach(({ steps }, i) => {
      const at = steps.findLastIndex((s) => s.x <= x);
      const say = says[i];
      if (say) say.textContent = steps[at]?.title ?? "";
    });
  };
  if (!button) continue;
  button.hidden = false;
  button.addEventListener("click", () => {
    if (frame) return stop();
    figure.classList.add("running");
    const began = performance.now();
    const step = (now: number) => {
      const x = Math.min(100, ((now - began) / duration) * 100);
      draw(x);
      if (x < 100) frame = requestAnimationFrame(step);
      else stop();
    };
    frame = requestAnimationFrame(step);
  });
}
