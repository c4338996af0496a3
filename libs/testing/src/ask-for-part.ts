/** Asks Jest's own process for a real part, which starts it for the first one who asks. */
export async function askForPart<Answer>(path: '/postgres' | '/kafka' | '/redis'): Promise<Answer> {
  const parts = process.env['VV_TEST_PARTS'];
  if (!parts) throw new Error('no test parts: run specs by jest with the configuration of the repository');
  const response = await fetch(parts + path);
  const answer = await response.json() as Answer & { error?: string };
  if (answer.error !== undefined) throw new Error(answer.error);
  return answer;
}
