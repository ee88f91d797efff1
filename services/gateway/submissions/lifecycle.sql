-- name: submissions_page
SELECT s.id, s.state, e.board, e.model_name, e.organization, e.version,
       e.hypothetical AS evaluate_only, s.created_at, s.changed_at
  FROM submissions s
  JOIN entries e ON e.submission_id = s.id
 WHERE ($1::bytea IS NULL OR s.owner_token_sha256 = $1)
   AND ($2::uuid IS NULL OR s.key_id = $2)
   AND ($3::text IS NULL OR s.state = $3)
   AND ($4::timestamptz IS NULL OR (s.created_at, s.id) < ($4, $5::uuid))
 ORDER BY s.created_at DESC, s.id DESC
 LIMIT $6

-- name: submissions_by_state
SELECT state, count(*) AS submissions FROM submissions GROUP BY state ORDER BY state

-- name: last_day
-- What happened in the last 24 hours and in the 24 before. Each part reads an index by its time.
SELECT state AS name, count(*) FILTER (WHERE at > now() - interval '24 hours') AS lately,
       count(*) FILTER (WHERE at <= now() - interval '24 hours') AS before
  FROM submission_history
 WHERE state = ANY ($1) AND at > now() - interval '48 hours'
 GROUP BY state
 UNION ALL
SELECT 'verdicts', count(*) FILTER (WHERE judged_at > now() - interval '24 hours'),
       count(*) FILTER (WHERE judged_at <= now() - interval '24 hours')
  FROM judge_verdicts
 WHERE raw_reply IS NOT NULL AND judged_at > now() - interval '48 hours'

-- name: accounts_searching
-- Accounts that, in the 30 days of which uses are kept, sent many files ($1) that are near-empty or that
-- left again, or very many ($2) of any kind. Who searches the test set does one or the other, or some
-- of each. Near-empty: less than half of the samples could be read, or of those whose answers have a
-- structure. Anything is a text, so texts alone prove nothing.
SELECT account, sent, near_empty, withdrawn, last_at
  FROM (SELECT account, count(*) AS sent,
               count(*) FILTER (WHERE near_empty) AS near_empty,
               count(*) FILTER (WHERE gone) AS withdrawn,
               count(*) FILTER (WHERE near_empty OR gone) AS odd,
               max(at) AS last_at
          FROM (SELECT u.account, u.at, s.state IN ('withdrawn', 'replaced') AS gone,
                       (SELECT 2 * sum(parsed) < (s.report ->> 'samples')::integer
                               OR 2 * sum(parsed) FILTER (WHERE unit <> 'texts')
                                  < sum(samples) FILTER (WHERE unit <> 'texts')
                          FROM jsonb_to_recordset(s.report -> 'tasks')
                               AS task (unit text, samples integer, parsed integer)) AS near_empty
                  FROM quota_uses u
                  JOIN submissions s ON s.id = u.submission_id
                 WHERE u.kind = 'submission' AND u.at > now() - interval '30 days') AS uses
         GROUP BY account) AS accounts
 WHERE odd >= $1 OR sent >= $2
 ORDER BY odd DESC, sent DESC, account
 LIMIT 50

-- name: run_to_end
-- Rows are locked in the order in which everybody does it: run, entry (a newer version before an older
-- one), board, submission.
SELECT id FROM judge_runs
 WHERE submission_id = $1 AND state IN ('queued', 'running', 'paused')
   FOR UPDATE

-- name: successor_lock
-- The version that waits to take over: it comes first, as for the scorer.
SELECT FROM entries
 WHERE replaces = (SELECT id FROM entries WHERE submission_id = $1) AND pending AND removed_at IS NULL
   FOR NO KEY UPDATE

-- name: board_of_entry
-- An entry that is not on a board yet changes none.
SELECT board, listed OR hypothetical AS shown
  FROM entries
 WHERE submission_id = $1
   FOR NO KEY UPDATE

-- name: board_changed
UPDATE boards SET revision = revision + 1 WHERE board = $1

-- name: submission_lock
-- The scorer holds the submission and waits for its entry, which we hold: we give up at once, and
-- try again.
SELECT FROM submissions WHERE id = $1 FOR UPDATE NOWAIT

-- name: withdraw
UPDATE submissions
   SET state = 'withdrawn', withdrawn_by = $2, withdrawal_note = $3, withdrawal_is_public = true
 WHERE id = $1 AND state IN ('accepted', 'scored', 'ranked')

-- name: run_end
UPDATE judge_runs SET state = 'failed', reason = 'withdrawn', detail = 'the submission was withdrawn.'
 WHERE id = $1

-- name: remove_entry
UPDATE entries SET removed_at = now() WHERE submission_id = $1 AND removed_at IS NULL

-- name: previous_lock
-- The version before, still there: nobody withdraws or replaces it until we are done.
SELECT version, facts::text AS facts, facts_held
  FROM entries
 WHERE id = $1 AND board = 'community' AND listed AND removed_at IS NULL
   FOR NO KEY UPDATE
