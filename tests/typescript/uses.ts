// Compiled by a test, strictly: a front-end written with the types, and mistakes that they find.
import type { EntryDetails, Leaderboard, LeaderboardEntry, paths } from "../../services/gateway/web/data/api";

export async function leader(site: string): Promise<string> {
  const answer = await fetch(`${site}/api/v1/leaderboards/community`);
  const board: Leaderboard = await answer.json();
  const known: number = board.schema_version;
  const first: LeaderboardEntry | undefined = board.entries[0];
  if (!first || known !== 1) return "nobody";
  const value: number | null | undefined = first.values["nap_acc"];
  return `${first.rank ?? "–"} ${first.model_name} ${value?.toFixed(3) ?? "n/a"}`;
}

export function shown(entry: EntryDetails): string[] {
  return entry.scores.map((score) => `${score.metric}: ${score.compat ?? "n/a"}`);
}

type Asked = NonNullable<paths["/api/v1/leaderboards/{board}"]["get"]["parameters"]["query"]>;
export const asked: Asked = { scoring: "strict", limit: 10 };

// @ts-expect-error there is no such scoring
export const wrong: Asked = { scoring: "lenient" };

// @ts-expect-error a rank may be null
export const rank: number = ({} as LeaderboardEntry).rank;

// @ts-expect-error there is no such field
export const missing = ({} as EntryDetails).no_such_field;
