// The nearest word, for messages about a word that is not known.
import { closestMatch } from "leven";

/** `; did you mean "x"?` when one of the candidates is near, otherwise nothing. */
export function didYouMean(word: string, candidates: readonly string[]): string {
  // Two letters changed places are two steps; a word that shares no letter is no hint.
  const maxDistance = Math.min(word.length - 1, Math.max(2, Math.floor(word.length / 3)));
  const meant = closestMatch(word, candidates, { maxDistance });
  return meant === undefined ? "" : `; did you mean "${meant}"?`;
}
