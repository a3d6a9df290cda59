import { css } from "lit";
import type { Tables } from "../tape";
import { History, Marked, type Mark } from "../views/changes";
import type { Facts, Inspection, RunSettings, Step, Table } from "../wire.gen";
import { sentence, type Messages } from "../words";
import { Part, stageColour } from "./base";

/** Everything that a view may draw: the run, the place in it and the tables folded up to there. */
export interface Scene {
  steps: readonly Step[];
  at: number;
  step: Step | undefined;
  tables: Tables;
  history: History;
  inspection: Inspection | null;
  facts: Facts | null;
  settings: RunSettings;
  messages: Messages;
}

/** A picture of one part of the state. It repeats no rule of the engine: it draws rows. */
export class View extends Part {
  static override properties = { ...Part.properties, scene: { attribute: false } };
  declare scene: Scene;

  static override styles = [
    ...Part.styles,
    css`
      :host { display: block; padding-bottom: 16px; font-size: var(--t1); }
      .now { display: flex; gap: 4px 12px; flex-wrap: wrap; padding: 8px 16px 6px; color: var(--ink-2); min-height: 32px; }
      .tag { font-size: 11px; font-weight: 600; color: var(--ink); }
      .added, .edited { background: color-mix(in oklab, var(--c) 13%, var(--paper)); box-shadow: inset 3px 0 var(--c); }
      .removed { color: var(--ink-2); box-shadow: inset 3px 0 var(--rule-2); }
      .removed .name { text-decoration: line-through; }
      .was { color: var(--ink-2); text-decoration: line-through; }
      @media (prefers-reduced-motion: no-preference) { .added { animation: arrive 150ms ease-out; } @keyframes arrive { from { background: color-mix(in oklab, var(--c) 45%, var(--paper)); } } }
    `,
  ];

  protected marked(table: Table): Marked {
    return new Marked(this.scene.tables, this.scene.step, table);
  }

  /** The word for what a step did to a row, since colour alone is no sign. */
  protected tag(mark: Mark): string {
    return mark === "" ? "" : this.say(`state.${mark}`);
  }

  /** The colour of the current step's stage. */
  protected get colour(): string {
    return stageColour(this.scene.step?.stage ?? "kernel");
  }

  /** The step that last touched a row, for its colour and for going there. */
  protected origin(table: Table, id: string): Step | undefined {
    return this.scene.steps[this.scene.history.latest(table, id, this.scene.at)];
  }

  protected titleOf(step: Step | undefined): string {
    return step ? `${this.say("verdict.step", { n: step.seq + 1 })} · ${sentence(step, this.scene.messages, this.lang).title}` : "";
  }

  protected go(step: Step | undefined): void {
    if (step) this.ask({ do: "seek", to: step.seq });
  }

  /** What shows the change of a step; "" where nothing is to be scrolled to. */
  protected get marks(): string {
    return "";
  }

  #shown: Step | undefined; // the step whose change was last brought into sight

  /** A step's change comes into sight, within the panel only. */
  override updated(): void {
    if (this.#shown === this.scene.step) return;
    this.#shown = this.scene.step;
    const row = this.marks ? this.renderRoot.querySelector<HTMLElement>(this.marks) : null;
    const pane = this.closest<HTMLElement>(".pane");
    if (!row || !pane) return;
    const box = row.getBoundingClientRect();
    const view = pane.getBoundingClientRect();
    if (box.top < view.top + 30) pane.scrollTop += box.top - view.top - 60;
    else if (box.bottom > view.bottom) pane.scrollTop += box.bottom - view.bottom + 40;
  }
}
