/** Pauses between questions, in milliseconds: a second in all. */
const PAUSES = [40, 80, 140, 240, 500];

/**
 * Asks again, for up to a second, while another request is working on the same token or code. The last answer is still
 * pending when the other request takes longer. `hasWaited`: another request was at work.
 */
export async function settled<T>(
  ask: () => Promise<T>,
  isPending: (answer: T) => boolean,
): Promise<{ answer: T; hasWaited: boolean }> {
  let answer = await ask();
  const hasWaited = isPending(answer);
  for (const pause of PAUSES) {
    if (!isPending(answer)) break;
    await new Promise((next) => setTimeout(next, pause));
    answer = await ask();
  }
  return { answer, hasWaited };
}
