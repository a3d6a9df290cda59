// Why the engine did not answer. Each script of a page has its own copy of these classes, so an error is told by
// what it has and not by its class.
import type { Failure } from "./wire.gen";

type Refused = Failure | { code: "crash" | "engine"; message: string };

/** An answer that is a refusal: what was expected, what was found, where. */
export class EngineError extends Error {
  override readonly name = "EngineError";

  constructor(readonly failure: Refused) {
    super(failure.message);
  }
}

/** The request was given up by the page. */
export class Cancelled extends Error {
  override readonly name = "Cancelled";
}

export const wasCancelled = (e: unknown): boolean => e instanceof Error && e.name === "Cancelled";

export const engineFailure = (e: unknown): Refused | null => (e instanceof Error && e.name === "EngineError" ? (e as EngineError).failure : null);
